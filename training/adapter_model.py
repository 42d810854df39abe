"""The demo's base with an edit adapter as they are trained: `[source + mask | target | reference]` in one sequence.

What differs from how a host runs the same weights is as in `model.py`, and that a batch has many clips.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from reelpatch.edits.adapter.layout import AdapterLayout
from reelpatch.edits.adapter.module import AdapterModule
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.rotary import rotary_angles, timed_positions
from training.model import (
    DIM,
    LATENT_CHANNELS,
    NUM_HEADS,
    TEXT_ROWS,
    DemoFamily,
    padding_bias,
    sinusoid,
    turned,
)


class InContext(nn.Module):
    """The base, of whose blocks everything is trained, and the adapter's embeddings.

    Those of source and reference begin as the base's own, that of the mask at zero.
    """

    def __init__(self, family: DemoFamily, layout: AdapterLayout) -> None:
        super().__init__()
        self.family = family
        self.adapter = AdapterModule(LATENT_CHANNELS, DIM, layout)
        for part in ("source", "reference"):
            self.embedding(part).load_state_dict(family.patch_embedding.state_dict())
        family.requires_grad_(False)
        family.blocks.requires_grad_(True)

    def embedding(self, part: str) -> nn.Module:
        return self.adapter.get_submodule(f"{part}_embedding")

    def forward(
        self,
        latents: Tensor,
        sigma: Tensor,
        text_BTD: Tensor,
        source: Tensor,
        mask: Tensor,
        reference: Tensor | None,
    ) -> Tensor:
        """The velocity of noisy `latents` at `sigma` `[B]`, beside source and mask of their shape, `[B, 16, T, h, w]`.

        `reference` is `[B, 16, 1, h, w]`, or there is none.
        """
        family = self.family
        grid = TokenGrid(latents.shape[2], latents.shape[3] // 2, latents.shape[4] // 2)
        own = _tokens(family.patch_embedding(latents))
        before = _tokens(self.embedding("source")(source) + self.embedding("mask")(mask))
        behind = [] if reference is None else [_tokens(self.embedding("reference")(reference))]
        x = torch.cat([before, own, *behind], dim=1)
        time_BD = family.time_embedding(sinusoid(1000 * sigma))
        clean_D = family.time_embedding(sinusoid(sigma.new_zeros(1)))
        timed, clean = (family.time_projection(one).unflatten(1, (1, 6, DIM)) for one in (time_BD, clean_D))
        n = own.shape[1]
        modulation = torch.cat(
            [
                clean.expand(len(x), n, -1, -1),
                timed.expand(-1, n, -1, -1),
                *(clean.expand(len(x), one.shape[1], -1, -1) for one in behind),
            ],
            dim=1,
        )
        rotary = _rotary_of(self.adapter.layout, grid, len(behind), latents.device)
        for block in family.blocks:
            x = block(x, modulation, text_BTD, rotary, attention=_attention)
        return family.head.unpatched(x[:, n : 2 * n], time_BD, latents.shape)


@cache
def _rotary_of(layout: AdapterLayout, grid: TokenGrid, references: int, device: torch.device) -> Tensor:
    still = TokenGrid(1, grid.rows, grid.columns)
    places = [
        timed_positions(grid, layout.source_times(grid.frames)),
        timed_positions(grid, None),
        *(timed_positions(still, (layout.reference_time(grid.frames, i),)) for i in range(references)),
    ]
    return turned(rotary_angles(torch.cat(places), DIM // NUM_HEADS)).to(device)


def _tokens(embedded: Tensor) -> Tensor:
    return embedded.flatten(2).transpose(1, 2)


def _attention(q_BNAE: Tensor, k_BTAE: Tensor, v_BTAE: Tensor) -> Tensor:
    """As `model.attention`, in plain products: backwards, PyTorch's own is slow on a CPU for sequences as short as these."""
    q, k, v = (x.transpose(1, 2).flatten(0, 1) for x in (q_BNAE, k_BTAE, v_BTAE))
    scores = q @ k.mT * q.shape[-1] ** -0.5
    if k.shape[1] == TEXT_ROWS:
        scores = scores + padding_bias(scores)
    mixed = scores.softmax(dim=-1).to(v.dtype) @ v
    return mixed.unflatten(0, (-1, q_BNAE.shape[2])).transpose(1, 2).flatten(2)
