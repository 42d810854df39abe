"""Runs by itself: one edit by the command line on the card, and the memory that it took. Prints JSON.

Arguments: those of `reelpatch edit`, `--json` among them. Beside its answer stand the peaks in GiB: what PyTorch handed out, what it
held, and all that was gone from the card, looked at a hundred times a second, in which the driver's own memory is.
"""

import contextlib
import io
import json
import sys
import threading
import time

import torch

from reelpatch.headless.commands.main import main as reelpatch
from reelpatch.plan.memory import GIB


def main() -> None:
    torch.cuda.init()
    already, _ = _taken()
    taken, is_over = [already], threading.Event()

    def look() -> None:
        while not is_over.wait(0.01):
            taken.append(_taken()[0])

    looking = threading.Thread(target=look)
    looking.start()
    said, began = io.StringIO(), time.perf_counter()
    try:
        with contextlib.redirect_stdout(said):
            code = reelpatch(["edit", *sys.argv[1:]])
    finally:
        is_over.set()
        looking.join()
    if code:
        raise SystemExit(code)
    result = {
        "answer": json.loads(said.getvalue()),
        "seconds": time.perf_counter() - began,
        "allocated_gib": torch.cuda.max_memory_allocated() / GIB,
        "reserved_gib": torch.cuda.max_memory_reserved() / GIB,
        # With the context that was there before: a card of this size holds it too.
        "taken_gib": max(taken) / GIB,
        "taken_before_gib": already / GIB,
    }
    sys.stdout.write(json.dumps(result))


def _taken() -> tuple[int, int]:
    free, total = torch.cuda.mem_get_info()
    return total - free, total


if __name__ == "__main__":
    main()
