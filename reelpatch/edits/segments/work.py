"""What an in-context edit does in a run: the source, if any, and references are encoded and ride along as token segments."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from reelpatch.clips.frames import as_video, fit
from reelpatch.clips.references import check_reference, on_white, trim_references
from reelpatch.edits.contract import Edit
from reelpatch.edits.segments.edit import LatentSegment, SegmentsEdit
from reelpatch.edits.segments.layout import SegmentLayout
from reelpatch.edits.work import EditSettings, Encode, Material, Prepared
from reelpatch.families.lattice import Lattice


class SegmentsWork:
    """As `EditWork`."""

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:
        plan, layout = material.plan, SegmentLayout() if settings.method is None else settings.method
        assert isinstance(layout, SegmentLayout)
        layout.check_references(len(material.references))
        segments: list[LatentSegment] = []
        if layout.sees_clip:
            source = encode(as_video(fit(material.clip, plan)))
            times = tuple(range(layout.grounding, layout.grounding + source.shape[1]))
            segments.append(LatentSegment(source, times, layout.is_numbered, layout.is_before))
        for number, image in enumerate(material.references, start=1):
            check_reference(image, number)
            still = encode(as_video(_scaled(image, layout.reference_px or 0, plan.lattice)))
            segments.append(LatentSegment(still, is_numbered=layout.is_numbered, is_reference=True))
        shape = plan.lattice.latent_shape(plan.frames, plan.size, references=layout.grounding)
        return Prepared(shape, layout.grounding, seen=segments, lattice=plan.lattice)

    def edits(self, module: nn.Module | None, prepared: Prepared, settings: EditSettings) -> Sequence[Edit]:  # noqa: ARG002 -- as `EditWork`
        edit = SegmentsEdit(prepared.seen, settings.window, prepared.lattice)
        return (edit,) if settings.strength else ()

    def finish(self, latents: Tensor, prepared: Prepared) -> Tensor:
        return trim_references(latents, prepared.references)


def _scaled(image: Tensor, most_px: int, lattice: Lattice) -> Tensor:
    """A reference as a clip of one frame, at the legal size nearest to its own shape, no side over `most_px`.

    Shapes: [h, w, 1, 3 or 4] in [0, 1] -> [1, H, W, 3]; what is transparent becomes white.
    """
    rgb = on_white(image)
    height, width = rgb.shape[:2]
    scale = min(1.0, most_px / max(height, width))
    size = lattice.nearest_size(round(height * scale), round(width * scale))
    if size == (height, width):
        return rgb[None]
    resized = F.interpolate(rgb.permute(2, 0, 1)[None], size=size, mode="bicubic", antialias=True)
    return resized.permute(0, 2, 3, 1).clamp(0, 1)
