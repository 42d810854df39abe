"""How many steps a second a training by time takes on this machine: `python -m training.pace NAME FOLDER`.

`NAME` is `adapter`, `further` or `pictures`, and scenes are in FOLDER (`python -m training.ahead FOLDER`). Every form is tried for a
few seconds: a factor, and with `c` behind it recorded as CUDA graphs. One that fails is said to.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from training import adapter, further, pictures, timed

TRAININGS = {
    "adapter": adapter.train_by_time,
    "further": further.train_by_time,
    "pictures": pictures.train_by_time,
}
FOLDERS: dict[str, Callable[[Path], timed.Folder[object]]] = {
    "adapter": adapter.timed_scenes,
    "further": further.timed_scenes,
    "pictures": pictures.timed_scenes,
}


def tried(name: str, folder: Path, form: str, out: Path, seconds: float) -> str:
    """A line on one form."""
    factor, captured = int(form.removesuffix("c")), form.endswith("c")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        ends_at = time.monotonic() + seconds
        pace = TRAININGS[name](folder, timed.Options(ends_at, out, factor, 1.0, captured))
    except Exception:
        return f"{name} {form}: failed\n{traceback.format_exc()}"
    peak_gib = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
    return f"{name} {form}: {pace:.1f} steps a second, {peak_gib:.1f} GiB at most"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.pace", description=__doc__)
    parser.add_argument("name", choices=TRAININGS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--forms", nargs="+", default=["8", "32", "8c", "32c"])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each form (default 8)")
    parser.add_argument("--out", type=Path, default=Path("tried"), help="where the files go")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {options.name} %(message)s")
    waits_until = time.monotonic() + 60
    while FOLDERS[options.name](options.folder).ready() is None and time.monotonic() < waits_until:
        time.sleep(1)
    for form in options.forms:
        line = tried(options.name, options.folder, form, options.out, options.seconds)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
