"""Runs inside ComfyUI: an edited MODEL against core's own merged VACE model, same weights and inputs, taking turns.

Started by `benchmarks.cpu`, through the script that runs the host tests, whose small models it enlarges.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import comfy.ops
import parity
import tiny
import torch
from comfy.ldm.wan.model import VaceWanModel

from benchmarks import results
from benchmarks.timing import interleaved, ratio

DIM, FFN_DIM, FRAMES, SIZE = 512, 1536, 9, (192, 192)
TURNS, STEPS = 9, 4
AT_MOST = 1e-4


@cache
def _weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    model = VaceWanModel(
        dim=DIM, ffn_dim=FFN_DIM, num_heads=DIM // 128, num_layers=tiny.NUM_LAYERS, text_dim=4096,
        vace_layers=tiny.NUM_HINTS, vace_in_dim=96, freq_dim=256, operations=comfy.ops.disable_weight_init,
        dtype=torch.float32,
    )  # fmt: skip
    state = {}
    for key, tensor in model.state_dict().items():
        scale = 1.0 if tensor.ndim < 2 or "modulation" in key else tensor[0].numel() ** -0.5
        noise = torch.randn(tensor.shape, generator=generator) * scale
        state[key] = 1 + 0.1 * noise if "norm" in key and key.endswith("weight") else 0.5 * noise
    return state


def check_a_run_of_four_steps_with_guidance() -> dict[str, Any]:
    tiny.weights = _weights
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
