"""What an edit by channels does in a run. Source: xgen-universe/Capybara, `capybara_pipeline.py`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reelpatch.clips.frames import as_video, fit, fit_mask
from reelpatch.edits.channels.edit import ChannelEdit
from reelpatch.edits.channels.layout import ChannelLayout
from reelpatch.edits.contract import Edit
from reelpatch.edits.work import EditSettings, Encode, Material, PlainWork, Prepared
from reelpatch.errors import BadInput


class ChannelWork(PlainWork):
    """As `EditWork`. A mask goes into the model only where the layout says so; what it keeps is the source's, by pasting back."""

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:
        layout = settings.method if isinstance(settings.method, ChannelLayout) else ChannelLayout()
        layout.check(len(material.references))
        plan = material.plan
        frames = fit(material.clip, plan)
        source = encode(as_video(frames))
        where = (
            fit_mask(material.mask, plan) if material.mask is not None and layout.mask == "edited" else None
        )
        pictures = None
        if seen := layout.frames_seen(plan.frames):
            if settings.look is None:
                raise BadInput(
                    "this method looks at frames of the clip, but there is no picture encoder here: get SigLIP "
                    "(sigclip_vision_patch14_384.safetensors)."
                )
            pictures = settings.look(frames[list(seen)])
        edit = ChannelEdit(source, channel_mask(where, source), pictures, settings.window)
        return Prepared(plan.lattice.latent_shape(plan.frames, plan.size), seen=edit, lattice=plan.lattice)

    def edits(self, module: nn.Module | None, prepared: Prepared, settings: EditSettings) -> Sequence[Edit]:  # noqa: ARG002 -- as `EditWork`
        return (prepared.seen,) if settings.strength else ()


def channel_mask(where: Tensor | None, source: Tensor) -> Tensor:
    """The mask's channel [1, T, h, w] beside latents [C, T, h, w], of a mask [F, H, W] at the size that is worked on, 1 without.

    A latent frame has a 1 where any of the pixels that it stands for has: what is edited a little is edited.
    """
    cells = torch.ones(1, *source.shape[1:])
    if where is None:
        return cells
    whole = torch.nn.functional.adaptive_max_pool2d(where[:, None].float(), tuple(source.shape[2:]))[:, 0]
    later = whole[1:].unflatten(0, (source.shape[1] - 1, -1)).amax(dim=1) if len(whole) > 1 else whole[:0]
    return torch.cat([whole[:1], later])[None].ceil()
