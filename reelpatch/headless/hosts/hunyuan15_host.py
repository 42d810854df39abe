"""diffusers' HunyuanVideo-1.5 transformer as a host of edits that stand beside the latents' channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from diffusers import HunyuanVideo15Transformer3DModel
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor

from reelpatch.edits.channels.edit import ChannelEdit
from reelpatch.edits.contract import Capability, Edit, Moment, check_needs
from reelpatch.errors import BadInput
from reelpatch.headless.hosts.whereabouts import whereabouts

OFFERED = frozenset({Capability.CONDITION_BY_CHANNELS})
TIMESTEPS = 1000


@dataclass(frozen=True, eq=False)
class HunyuanText:
    """An embedded text. Shapes: rows [1, n, 3584] of Qwen2.5-VL, glyphs [1, m, 1472] of byT5, where m is 0 without quoted text."""

    rows: Tensor
    glyphs: Tensor


class JointAttention:
    """Clip and text in one attention, without a mask: here all tokens are real ones, and a mask of every pair would take
    gigabytes. As diffusers' attention processors.
    """

    backend: AttentionBackendName | None = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,  # noqa: ARG002 -- as diffusers calls it
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        def heads(tokens: Tensor) -> Tensor:
            return tokens.unflatten(-1, (attn.heads, -1))

        query, key = (
            attn.norm_q(heads(attn.to_q(hidden_states))),
            attn.norm_k(heads(attn.to_k(hidden_states))),
        )
        if image_rotary_emb is not None:
            query, key = _turned(query, image_rotary_emb), _turned(key, image_rotary_emb)
        of_text = (
            attn.norm_added_q(heads(attn.add_q_proj(encoder_hidden_states))),
            attn.norm_added_k(heads(attn.add_k_proj(encoder_hidden_states))),
            heads(attn.add_v_proj(encoder_hidden_states)),
        )
        of_clip = query, key, heads(attn.to_v(hidden_states))
        query, key, value = (torch.cat(pair, dim=1) for pair in zip(of_clip, of_text, strict=True))
        seen = (
            dispatch_attention_fn(query, key, value, backend=self.backend).flatten(2).to(hidden_states.dtype)
        )
        clip, text = seen.split([hidden_states.shape[1], encoder_hidden_states.shape[1]], dim=1)
        return attn.to_out[0](clip), attn.to_add_out(text)


def _turned(heads: Tensor, rotary: Any) -> Tensor:
    return cast(Tensor, apply_rotary_emb(heads, rotary, sequence_dim=1))


def joined(texts: Sequence[HunyuanText], rows: int) -> HunyuanText:
    """What `predict_velocity` reads of one text for so many rows; of several, which lengths tell apart, each runs by itself."""
    (text,) = texts
    return HunyuanText(text.rows.expand(rows, -1, -1), text.glyphs.expand(rows, -1, -1))


def predict_velocity(
    transformer: HunyuanVideo15Transformer3DModel,
    latents: Tensor,
    text: HunyuanText,
    *,
    moment: Moment,
    edits: Sequence[Edit] = (),
    skipped_blocks: frozenset[int] = frozenset(),
    picture: Any = None,  # noqa: ARG001 -- as `Predict`
) -> Tensor:
    """The transformer's output, with the source that an edit shows it beside the latents, or nothing.

    Shapes: latents and result `[B, 32, T, h, w]`.
    Raises: `BadInput` when an edit asks for what this host cannot do, or does not fit the clip.
    """
    check_needs(edits, OFFERED, host="the diffusers host of HunyuanVideo-1.5")
    if skipped_blocks:
        raise BadInput(
            "the diffusers host of HunyuanVideo-1.5 goes around no blocks: leave skip-layer guidance out."
        )
    device, dtype = whereabouts(transformer.x_embedder.proj)
    rows = len(latents)
    seen = torch.zeros(rows, 0, transformer.config["image_embed_dim"])
    beside = latents.new_zeros(rows, latents.shape[1] + 1, *latents.shape[2:])
    for edit in edits:
        assert isinstance(edit, ChannelEdit)
        beside = edit.beside(latents, moment)
        if edit.pictures is not None and edit.is_shown(moment):
            seen = edit.pictures.expand(rows, -1, -1)

    # Without quoted text there are none, of whatever width.
    glyphs = (
        text.glyphs if text.glyphs.shape[1] else torch.zeros(rows, 0, transformer.config["text_embed_2_dim"])
    )

    def all_valid(tokens: Tensor) -> Tensor:
        return torch.ones(tokens.shape[:2], device=device)

    return transformer(
        hidden_states=torch.cat([latents, beside.to(latents)], dim=1).to(device, dtype),
        timestep=torch.full((rows,), TIMESTEPS * moment.sigma, device=device),
        encoder_hidden_states=text.rows.to(device, dtype),
        encoder_attention_mask=all_valid(text.rows),
        encoder_hidden_states_2=glyphs.to(device, dtype),
        encoder_attention_mask_2=all_valid(glyphs),
        image_embeds=seen.to(device, dtype),
        return_dict=False,
    )[0]
