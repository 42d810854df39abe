"""Runs by itself: an edit by Ditto's published recipe on weights without data, up to where its first step begins.

Argument: a models folder. What is printed is JSON: seconds since the process began and seconds of the processor by then, after each stage, and
the `parts` of `StartTimes`. The text was embedded before, as it is the second time that it is asked for.
"""

import json
import sys
import time
from pathlib import Path

import psutil
import torch

from benchmarks.sparse_load import private_bytes
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.machine_options import MachineOptions
from reelpatch.headless.models.text_cache import TextCache
from reelpatch.headless.models.text_encoder import clean
from reelpatch.recipes import recipe

FRAMES, SIZE = 5, (64, 64)  # few: encoding them is arithmetic, which a card does
TEXT, WIDTH = "Make it a Claymation.", 4096


class FirstStepBegins(Exception):
    """All that was to be measured is over."""


def now() -> dict[str, float]:
    """Seconds since this process began."""
    return {"s": time.time() - psutil.Process().create_time(), "cpu_s": time.process_time()}


def main() -> None:
    imported = now()
    editor = Editor(
        recipe("ditto-global"), Path(sys.argv[1]), device="cpu", machine=MachineOptions(keeps_texts=True)
    )
    known = now()
    for text in (editor.recipe.prompt_for(TEXT), editor.recipe.negative_prompt):
        TextCache().keep(clean(text), editor.files.text_encoder, editor.dtype, torch.zeros(1, 1, WIDTH))

    def on_progress(stage: str, _done: int, _total: int) -> None:
        if stage == "denoising":
            raise FirstStepBegins

    try:
        editor.edit(torch.zeros(FRAMES, *SIZE, 3), TEXT, on_progress=on_progress)
    except FirstStepBegins:
        parts = {name: seconds for name, seconds in editor.start.as_dict().items() if seconds}
        found = {"imported": imported, "files_known": known, "first_step_begins": now()}
        sys.stdout.write(json.dumps(found | {"parts": parts, "anonymous_gb": private_bytes() / 1e9}))


if __name__ == "__main__":
    main()
