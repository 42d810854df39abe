"""Tiny weights of a text-to-video Wan, and what the headless host makes of pairs of clips with them: for ComfyUI to equal."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from reelpatch.edits.sharing.edit import SharingEdit
from reelpatch.edits.sharing.schedule import SharingMethod, Stages
from reelpatch.edits.sharing.work import Pair, TiedRows
from reelpatch.families.wan.names import diffusers_to_native
from reelpatch.headless.hosts.pair_maker import TiedDenoiser
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.solvers import SOLVERS
from tests.golden import tiny_wan
from tests.host.tiny_values import draw, text

FOLDER = "sharing_reference"
SHAPE = (16, 3, 4, 6)
SIGMAS = (1.0, 0.9, 0.7, 0.4, 0.0)
STAGES = Stages(0.95, 0.6)
GUIDANCE, SEED = 3.0, 5
CASES: dict[str, tuple[str, int, bool]] = {
    "plain": ("none", 0, False),
    "local": ("local", 0, False),
    "insertion": ("insertion", 0, False),
    "background": ("background", 0, False),
    "colour": ("colour", 0, False),
    "motion with an onset": ("motion", 5, False),
    "a clip that is given": ("local", 0, True),
    "a clip that is given, with an onset": ("colour", 5, True),
}
"""By name: the kind of change, the frame of the onset, and whether the source is given."""
_SIZES = {
    **{"num_attention_heads": 1, "attention_head_dim": 128, "text_dim": 4096, "freq_dim": 256},
    **{"in_channels": 16, "out_channels": 16, "num_layers": 6},
}


@torch.no_grad()
def write(folder: Path) -> None:
    """Weights, and the latents of both clips of every case, below `folder`."""
    place = folder / FOLDER
    place.mkdir()
    backbone = tiny_wan.t2v(**_SIZES)
    for block in backbone.blocks:  # so that it matters what self-attention reads
        block.attn1.norm_k.weight.mul_(6)
        block.attn1.to_v.weight.mul_(6)
    state = {diffusers_to_native(key): tensor for key, tensor in backbone.state_dict().items()}
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, place / "backbone.safetensors")
    source = draw(9, *SHAPE)
    made = {"source": source}
    for name, (change, onset, is_given) in CASES.items():
        latents = 0 if onset == 0 else 1 + (onset - 1) // 4
        is_own = onset == 0 and not is_given  # rows that differ more show more of what they read
        noise = draw(SEED, 2, *SHAPE) if is_own else draw(SEED, *SHAPE).expand(2, *SHAPE)
        tied = TiedRows(Pair(source if is_given else None, latents), noise)
        edit = SharingEdit(SharingMethod(STAGES, change), latents, is_given)
        denoiser = TiedDenoiser(
            backbone,
            torch.cat([text(1), text(2)]),
            torch.tensor(SIGMAS),
            text(3),
            [edit],
            Guidance(GUIDANCE),
            tied=tied,
        )
        made[name] = tied.after_call(SOLVERS["euler"](denoiser, noise, torch.tensor(SIGMAS)))
    save_file({key: tensor.contiguous() for key, tensor in made.items()}, place / "made.safetensors")
