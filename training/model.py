"""The demo family's transformer as it is trained: the engine's own blocks under native names, and a UMT5 encoder.

Two things differ from how a host runs the same weights, and neither changes the result: the text width is the
encoder's 64 (at export the embedding gets zero columns up to Wan's 4096), and the constant rows with which Wan
pads text to 512 are one row that counts many times (`log(count)` added to its attention scores).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

from reelpatch.edits.vace.module import VaceConfig, VaceModule
from reelpatch.families.attention import sdpa
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.block import WanBlock
from reelpatch.families.wan.rotary import rotary_angles, timed_positions
from training.words import MAX_TOKENS, WORDS

DIM, FFN_DIM, NUM_HEADS, NUM_LAYERS = 128, 512, 1, 8
VACE_LAYERS = (0, 2, 4, 6)
LATENT_CHANNELS, FREQ_DIM, TEXT_WIDTH = 16, 256, 64
WAN_TEXT_ROWS = 512
TEXT_ROWS = MAX_TOKENS + 1  # the last one stands for all rows of padding beyond MAX_TOKENS


def build_text_encoder() -> UMT5EncoderModel:
    """The untrained text encoder: UMT5 with two layers of width 64."""
    config = UMT5Config(
        vocab_size=len(WORDS),
        d_model=TEXT_WIDTH,
        d_kv=16,
        num_heads=4,
        d_ff=128,
        num_layers=2,
        dropout_rate=0.0,
    )
    return UMT5EncoderModel(config)


class Head(nn.Module):
    """Wan's output head; its modulation comes from the timestep embedding before projection."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(DIM, 4 * LATENT_CHANNELS)
        self.modulation = nn.Parameter(torch.randn(1, 2, DIM) / DIM**0.5)

    def forward(self, x_BND: Tensor, time_BD: Tensor) -> Tensor:
        shift, scale = (self.modulation + time_BD[:, None]).chunk(2, dim=1)
        return self.head(F.layer_norm(x_BND, (DIM,), eps=1e-6) * (1 + scale) + shift)

    def unpatched(self, x_BND: Tensor, time_BD: Tensor, shape: torch.Size) -> Tensor:
        """The output as latents of this shape, `[B, 16, T, h, w]`."""
        _, _, frames, rows, columns = shape
        patches = (
            self(x_BND, time_BD)
            .unflatten(1, (frames, rows // 2, columns // 2))
            .unflatten(-1, (1, 2, 2, LATENT_CHANNELS))
        )
        return torch.einsum("bfhwpqrc->bcfphqwr", patches).reshape(shape)


class DemoFamily(nn.Module):
    """Text encoder, base transformer and edit module, trained together."""

    def __init__(self) -> None:
        super().__init__()
        self.text = build_text_encoder()
        self.patch_embedding = nn.Conv3d(LATENT_CHANNELS, DIM, (1, 2, 2), stride=(1, 2, 2))
        self.text_embedding = nn.Sequential(
            nn.Linear(TEXT_WIDTH, DIM), nn.GELU(approximate="tanh"), nn.Linear(DIM, DIM)
        )
        self.time_embedding = nn.Sequential(nn.Linear(FREQ_DIM, DIM), nn.SiLU(), nn.Linear(DIM, DIM))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(DIM, 6 * DIM))
        self.blocks = nn.ModuleList(WanBlock(DIM, FFN_DIM, NUM_HEADS) for _ in range(NUM_LAYERS))
        self.head = Head()
        self.vace = VaceModule(VaceConfig(DIM, FFN_DIM, NUM_HEADS, VACE_LAYERS))
        editors: Any = self.vace.vace_blocks
        for block in editors:
            nn.init.zeros_(block.after_proj.weight)
            nn.init.zeros_(block.after_proj.bias)
        nn.init.zeros_(self.head.head.weight)
        nn.init.zeros_(self.head.head.bias)

    def embed_text(self, ids: Tensor) -> Tensor:
        """Text rows for the blocks, `[B, TEXT_ROWS, D]`, of token ids `[B, MAX_TOKENS]` padded with 0."""
        return self.text_embedding(self.text_rows(ids))

    def text_rows(self, ids: Tensor) -> Tensor:
        """What the text encoder makes of token ids, `[B, TEXT_ROWS, TEXT_WIDTH]`, the last row that of padding."""
        valid = (ids != 0).long()
        rows = self.text(input_ids=ids, attention_mask=valid).last_hidden_state * valid[..., None]
        return F.pad(rows, (0, 0, 0, 1))

    def forward(
        self,
        latents: Tensor,
        sigma: Tensor,
        text_BTD: Tensor,
        context: Tensor | None = None,
        strength: Tensor | None = None,
    ) -> Tensor:
        """The velocity of noisy `latents` `[B, 16, T, h, w]` at `sigma` `[B]`, with `context` `[B, 96, T, h, w]`.

        Without a context the base is alone. `strength` `[B]` is the edit module's, 1 where not given.
        """
        strength = torch.ones_like(sigma) if strength is None else strength
        grid = TokenGrid(latents.shape[2], latents.shape[3] // 2, latents.shape[4] // 2)
        rotary = rotary_of(grid, None, latents.device)
        editors: Any = self.vace.vace_blocks
        time_BD = self.time_embedding(sinusoid(1000 * sigma))
        modulation = self.time_projection(time_BD).unflatten(1, (6, DIM))
        x = self.patch_embedding(latents).flatten(2).transpose(1, 2)
        c = x
        if context is not None:
            c = self.vace.vace_patch_embedding(context).flatten(2).transpose(1, 2)
            c = editors[0].before_proj(c) + x
        for i, block in enumerate(self.blocks):
            x = block(x, modulation, text_BTD, rotary, attention=attention)
            if context is not None and i in VACE_LAYERS:
                editor = editors[VACE_LAYERS.index(i)]
                c = editor(c, modulation, text_BTD, rotary, attention=attention)
                x = x + strength[:, None, None] * editor.after_proj(c)
        return self.head.unpatched(x, time_BD, latents.shape)


def sinusoid(t: Tensor) -> Tensor:
    """Wan's embedding of timesteps `[B]`, `[B, FREQ_DIM]`."""
    angles = t[:, None] * 10000.0 ** (-torch.arange(FREQ_DIM // 2, device=t.device) / (FREQ_DIM // 2))
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def attention(q_BNAE: Tensor, k_BTAE: Tensor, v_BTAE: Tensor) -> Tensor:
    """Attention in which the last row of a text counts for all padding that Wan has beyond it."""
    if k_BTAE.shape[1] != TEXT_ROWS:
        return sdpa(q_BNAE, k_BTAE, v_BTAE)
    bias = padding_bias(q_BNAE)
    q, k, v = (x.transpose(1, 2) for x in (q_BNAE, k_BTAE, v_BTAE))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2)


def padding_bias(like: Tensor) -> Tensor:
    """What is added to scores of the `TEXT_ROWS` rows, `[1, TEXT_ROWS]`."""
    return _padding_bias(like.dtype, like.device)


@cache
def _padding_bias(dtype: torch.dtype, device: torch.device) -> Tensor:
    bias = torch.zeros(1, TEXT_ROWS, dtype=dtype)
    bias[0, -1] = math.log(WAN_TEXT_ROWS - MAX_TOKENS)
    return bias.to(device)


@cache
def rotary_of(grid: TokenGrid, times: tuple[int, ...] | None, device: torch.device) -> Tensor:
    """The rotary table of a grid whose frames lie at these places in time (None: 0, 1, 2 and so on), made once."""
    return turned(rotary_angles(timed_positions(grid, times), DIM // NUM_HEADS)).to(device)


def turned(angles: Tensor) -> Tensor:
    """The rotary table of angles in radians `[N, E / 2]`: `[N, 1, E / 2, 2]` float32."""
    return torch.stack((angles.cos(), angles.sin()), dim=-1).float().unsqueeze(1)
