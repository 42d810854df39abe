"""Runs inside ComfyUI: an edited MODEL against core's own merged VACE model, same weights and inputs, taking turns.

Started by `benchmarks.cpu`, through the script that runs the host tests, whose small models it enlarges.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import parity
import tiny
import torch

from benchmarks import results
from benchmarks.timing import interleaved, ratio

DIM, FFN_DIM, FRAMES, SIZE = 512, 1536, 9, (192, 192)
TURNS, STEPS = 9, 4
AT_MOST = 1e-4


def check_a_run_of_four_steps_with_guidance() -> dict[str, Any]:
    tiny.weights = partial(tiny.weights, DIM, FFN_DIM)
    pixels = tiny.frames(FRAMES, SIZE)
    base, whole = tiny.backbone(torch.float32), tiny.merged(torch.float32)
    model, latent = tiny.apply(base, tiny.module(torch.float32), clip=tiny.clip(pixels))
    contexts = parity._contexts(model)
    texts = [parity._vace_text(seed, contexts, [1.0]) for seed in (1, 2)]

    def ours() -> torch.Tensor:
        return tiny.sample(model, latent=latent["samples"])

    def theirs() -> torch.Tensor:
        return tiny.sample(whole, latent=latent["samples"], positive=texts[0], negative=texts[1])

    difference = results.check_agree(ours(), theirs(), at_most=AT_MOST, what="ComfyUI")
    times = interleaved({"ours": ours, "core": theirs}, turns=TURNS)
    return {
        "difference": difference,
        "ours": times["ours"].as_dict(),
        "core": times["core"].as_dict(),
        **ratio(times["ours"], times["core"]),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
