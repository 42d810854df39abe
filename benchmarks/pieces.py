"""What it costs to run blocks over pieces of the tokens: `python -m benchmarks.pieces`, on one thread of a CPU.

One forward of a backbone of one block with one block of an edit, over pieces and over all tokens at once: outputs are compared,
then both take turns (pieces, whole, whole, pieces), and processor time is counted, which another process that has a processor
in the meantime does not lengthen. Tokens are as many as pieces are made for: with fewer, PyTorch's attention takes queries in smaller
tiles, and pieces would be charged with that.
"""

import argparse
import sys
import time
from typing import Any

import torch

from benchmarks import results
from benchmarks.models import Sizes, make_contenders, make_inputs
from benchmarks.timing import interleaved, ratio
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.sizes import WAN_14B
from reelpatch.headless.hosts.wan_pieces import work_in_pieces

CPU = torch.device("cpu")
FRAMES, ROWS = 8, 32  # of the tokens' grid


def measure(width: int, tokens: int, piece: int, turns: int) -> dict[str, Any]:
    """Processor time of a forward over pieces against that of one over all tokens, and by how much their outputs differ.

    Raises: `Disagree` where that is more than rounding.
    """
    # The feed-forward layer is as many times as wide as the published model's.
    sizes = Sizes(width, WAN_14B.ffn_dim * width // WAN_14B.dim, 1, (0,))
    contenders = make_contenders(sizes, device=CPU, dtype=torch.float32)
    cells = WAN.lattice.patch_cells
    columns = tokens // (FRAMES * ROWS)
    given = make_inputs(FRAMES, cells * ROWS, cells * columns, device=CPU, dtype=torch.float32)

    def run(length: int | None) -> torch.Tensor:
        work_in_pieces(contenders.backbone, length)
        return contenders.ours(given)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        difference = results.check_agree(run(piece), run(None), at_most=1e-6, what="pieces")
        times = interleaved(
            {"pieces": lambda: run(piece), "whole": lambda: run(None)},
            turns=turns,
            warm_up=0,
            clock=time.process_time,
        )
    finally:
        torch.set_num_threads(threads)
    found = {name: one.as_dict() for name, one in times.items()} | ratio(times["pieces"], times["whole"])
    counted = FRAMES * ROWS * columns
    return {"width": width, "tokens": counted, "piece": piece, "difference": difference, **found}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--width", type=int, default=512, help="a multiple of 128")
    parser.add_argument("--tokens", type=int, default=8192, help="a multiple of 256")
    parser.add_argument("--piece", type=int, default=2048)
    parser.add_argument("--turns", type=int, default=12)
    options = parser.parse_args()
    found = measure(options.width, options.tokens, options.piece, options.turns)
    sys.stdout.write(
        f"{found['tokens']} tokens of width {found['width']} in pieces of {found['piece']}: {found['ratio']:.3f} "
        f"({found['ratio_p10']:.3f}-{found['ratio_p90']:.3f}) of the processor time of all at once, "
        f"{found['whole']['median_s']:.2f} s, over {options.turns} turns; outputs differ by {found['difference']:.1e}\n"
    )


if __name__ == "__main__":
    main()
