"""Guidance over four condition sets against four single passes, on the demo's backbone: `python -m benchmarks.four_passes`.

Bernini-R's guidance with references and three different weights goes from nothing over the clip and the references to the instruction.
The same four predictions one by one, added up by hand, are what it is held against. Prints the median of the ratios of interleaved
turns, after comparing the results; a bar of 1.05 is the project's own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.results import check_agree
from benchmarks.timing import Times, interleaved, ratio
from reelpatch.edits.segments.edit import LatentSegment, SegmentsEdit
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.models.wan_transformer import load_backbone
from reelpatch.sampling.condition_sets import Sees, SourceWeight
from reelpatch.sampling.guidance import Guidance

PATH = (
    Path(__file__).parents[1]
    / "reelpatch/headless/demo/models/diffusion_models/reelpatch_demo_t2v_bf16.safetensors"
)
LATENT = (16, 3, 32, 32)  # 9 frames of 256x256
WEIGHTS = (3.0, 2.0, 4.0)
SIGMAS = torch.tensor([0.9, 0.0])
BAR = 1.05


@dataclass(frozen=True)
class Contenders:
    """The same prediction twice, as guidance makes it and by hand; `forwards` counts those of the backbone."""

    guided: Callable[[], Tensor]
    single: Callable[[], Tensor]
    forwards: list[int]


def contenders(latent: tuple[int, ...] = LATENT) -> Contenders:
    """Over the demo's backbone, on one clip and one reference of noise."""
    model = load_backbone(PATH)
    forwards: list[int] = []
    model.register_forward_pre_hook(lambda _model, _given: forwards.append(1))
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, *latent, generator=draw)
    told, untold = (torch.randn(1, 8, 4096, generator=draw) for _ in range(2))
    clip = LatentSegment(torch.randn(latent, generator=draw), is_numbered=True)
    still = torch.randn(latent[0], 1, *latent[2:], generator=draw)
    both = SegmentsEdit([clip, LatentSegment(still, is_numbered=True, is_reference=True)])
    to_clip, to_all, to_told = WEIGHTS
    sources = SourceWeight(Sees.CLIP, to_clip), SourceWeight(Sees.ALL, to_all)
    guided = Denoiser(model, told, SIGMAS, untold, [both], Guidance(to_told, sources=sources))
    nothing, seen, all_seen, instructed = (
        Denoiser(model, text, SIGMAS, edits=edits)
        for text, edits in (
            (untold, []),
            (untold, [SegmentsEdit([clip])]),
            (untold, [both]),
            (told, [both]),
        )
    )

    def one_by_one() -> Tensor:
        a, b, c, d = (one(x, SIGMAS[:1]) for one in (nothing, seen, all_seen, instructed))
        return a + to_clip * (b - a) + to_all * (c - b) + to_told * (d - c)

    return Contenders(lambda: guided(x, SIGMAS[:1]), one_by_one, forwards)


def measure(turns: int, latent: tuple[int, ...] = LATENT) -> dict[str, Times]:
    """Times of both. Raises: `Disagree` where they do not compute the same."""
    made = contenders(latent)
    # Weights up to 4 multiply what float32 rounds differently in the two sums.
    check_agree(made.guided(), made.single(), at_most=1e-5, what="four passes")
    return interleaved({"guided": made.guided, "single": made.single}, turns=turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=20)
    times = measure(parser.parse_args().turns)
    found = ratio(times["guided"], times["single"])
    sys.stdout.write(
        f"four passes {times['guided'].median:.3f} s, four single ones {times['single'].median:.3f} s, ratio {found['ratio']:.3f} "
        f"({found['ratio_p10']:.3f} to {found['ratio_p90']:.3f}), bar {BAR}: {'met' if found['ratio'] <= BAR else 'NOT met'}\n"
    )


if __name__ == "__main__":
    main()
