"""The first steps of a run at half the size: what they make is enlarged, and the other steps go on from it at full size.

In the first steps the noise leaves room for little more than where things stand, which a quarter of the pixels say too.
"""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from reelpatch.clips.frames import fit, fit_mask, plan_fit
from reelpatch.edits.work import Material
from reelpatch.families.lattice import LatentShape


def half_material(material: Material) -> Material:
    """The clip and its mask as they are worked on, at the legal size nearest to half of that; references stay."""
    plan = material.plan
    half = plan_fit(
        plan.frames,
        *plan.size,
        lattice=plan.lattice,
        size=plan.lattice.half_size(*plan.size),
        method="stretch",
    )
    mask = None if material.mask is None else fit_mask(material.mask, plan)
    return replace(material, clip=fit(material.clip, plan), plan=half, mask=mask)


def enlarged(latents: Tensor, shape: LatentShape) -> Tensor:
    """Latents [C, T, h, w] of the half size at that of `shape`, between their own by straight lines."""
    frames = latents.float().transpose(0, 1)
    return F.interpolate(frames, size=shape[-2:], mode="bilinear", align_corners=False).transpose(0, 1)
