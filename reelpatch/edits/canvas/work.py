"""What an edit on a pair canvas does in a run: VACE keeps the source at the left, and makes the clip at the right.

Source: HiDream-ai/ReCo, `inference_reco_single.py` and `inference_reco_single_ref.py`.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from reelpatch.clips.frames import fit
from reelpatch.clips.references import WHITE, check_reference, letterbox
from reelpatch.edits.canvas.layout import PairCanvas
from reelpatch.edits.vace.context import GRAY, build_context
from reelpatch.edits.vace.work import VaceWork
from reelpatch.edits.work import EditSettings, Encode, Material, Prepared


class CanvasWork(VaceWork):
    """As `ModuleWork`. A mask does not go into the model: what it keeps is the source's, by pasting back."""

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:
        if isinstance(settings.method, PairCanvas):
            settings.method.check_references(len(material.references))
        for number, image in enumerate(material.references, start=1):
            check_reference(image, number)
        plan = material.plan
        height, width = plan.size
        clip, mask = pair_canvas(fit(material.clip, plan), _fitted_first_frame(material))
        context = build_context(
            clip,
            mask,
            [reference_canvas(image, height, width) for image in material.references],
            self._gray.encoder(encode),
            frames=plan.frames,
            height=height,
            width=2 * width,
        )
        references = len(material.references)
        shape = plan.lattice.latent_shape(plan.frames, (height, 2 * width), references=references)
        return replace(Prepared(shape, references, seen=context), left_px=width)


def pair_canvas(clip: Tensor, first_frame: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The source at the left, which is kept, and gray at the right, where the clip is made, behind a first frame that is given.

    Shapes: clip [F, H, W, 3], first_frame [H, W, 3] -> canvas [F, H, 2 W, 3] and mask [F, H, 2 W].
    """
    made, kept = torch.full_like(clip, GRAY), torch.zeros(clip.shape[:3])
    where = torch.ones_like(kept)
    if first_frame is not None:
        made[0], where[0] = first_frame, 0
    return torch.cat([clip, made], dim=2), torch.cat([kept, where], dim=2)


def _fitted_first_frame(material: Material) -> Tensor | None:
    """The given first frame as frame 0 of the clip is fitted, [H, W, 3]; None without one."""
    if material.first_frame is None:
        return None
    given = material.first_frame[None].to(material.clip)
    return fit(torch.cat([given, material.clip[1:]]), material.plan)[0]


def reference_canvas(image: Tensor, height: int, width: int) -> Tensor:
    """A reference [h, w, 1 | 3 | 4] whole, on white, at the right; white at the left: [H, 2 W, 3]."""
    right = letterbox(image, height, width)
    return torch.cat([torch.full_like(right, WHITE), right], dim=1)
