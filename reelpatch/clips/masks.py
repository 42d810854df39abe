"""Masks: where and when a clip is edited, [F, H, W] float32 with 1 = edit and 0 = keep."""

from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor

from reelpatch.clips.frames import is_in_unit_range
from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice

_SUMMED = 16  # pixels or frames that a Gaussian reaches at most to be summed place by place


def luma(images: Tensor) -> Tensor:
    """Brightness of mask pictures (Rec. 601); equal channels keep their value to the bit.

    Shapes: images [..., H, W, 1 | 3 | 4]; result [..., H, W]. An alpha channel is not looked at.
    """
    if images.shape[-1] < 3:
        return images[..., 0]
    red, green, blue = images[..., 0], images[..., 1], images[..., 2]
    return red + 0.587 * (green - red) + 0.114 * (blue - red)


def build_mask(
    where: Tensor | None, when: tuple[int, int] | None, *, frames: int, height: int, width: int
) -> Tensor:
    """The mask that edits the pixels of `where` during `when`; None stands for everywhere or always.

    Shapes: where [H, W] or [1, H, W] (the same for all frames) or [F, H, W], in [0, 1]; result [F, H, W].
    Units: when = (first, last) frame, both edited, counted from 0.
    Raises: BadInput for a time range outside the clip, and as `check_mask`.
    """
    if where is None:
        where = torch.ones(height, width)
    if where.ndim == 2:
        where = where[None]
    if where.shape[0] == 1:
        where = where.expand(frames, *where.shape[1:])
    check_mask(where, frames, height, width)
    if when is None:
        return where.float()
    check_time_range(when, frames)
    first, last = when
    mask = torch.zeros_like(where, dtype=torch.float32)
    mask[first : last + 1] = where[first : last + 1]
    return mask


def check_mask(mask: Tensor, frames: int, height: int, width: int) -> None:
    """Refuse a mask that does not fit the clip.

    Raises: BadInput for a wrong form, length or size, or values outside 0..1 (NaN included).
    """
    if mask.ndim != 3:
        raise BadInput(
            f"the mask has shape {tuple(mask.shape)}, but a mask is [frames, height, width] with one value "
            "for each pixel: take one channel of it."
        )
    mask_frames, mask_height, mask_width = mask.shape
    if mask_frames != frames:
        raise BadInput(
            f"the mask has {mask_frames} frames but the clip has {frames}: "
            f"give {frames} mask frames, or a single image for the whole clip."
        )
    if (mask_height, mask_width) != (height, width):
        raise BadInput(
            f"the mask is {mask_width}x{mask_height} but the clip is {width}x{height} (width x height): "
            "give a mask of the clip's size."
        )
    if not is_in_unit_range(mask):
        raise BadInput(
            "the mask has values outside 0..1 or NaN: a mask goes from 0 (keep) to 1 (edit), "
            "so divide 8-bit values by 255."
        )


def check_time_range(when: tuple[int, int], frames: int) -> None:
    """Refuse a time range that is empty or leaves the clip.

    Raises: BadInput naming the frames there are.
    """
    first, last = when
    if not 0 <= first <= last < frames:
        raise BadInput(
            f"the time range {first}-{last} does not lie in the clip: "
            f"give a first and a last frame between 0 and {frames - 1}, the first not after the last."
        )


def grow_mask(mask: Tensor, *, px: int = 0, frames: int = 0) -> Tensor:
    """The mask widened by a disc of `px` pixels and by `frames` frames both ways; negative values shrink it.

    Shapes: [F, H, W] in and out. What lies beyond the border neither grows in nor eats away.
    """
    grown = mask.float()
    if px:
        grown = torch.stack([_widened(frame, px) if px > 0 else -_widened(-frame, -px) for frame in grown])
    if frames:
        grown = _lasting(grown, frames) if frames > 0 else -_lasting(-grown, -frames)
    return grown


def over_all_frames(mask: Tensor) -> Tensor:
    """What the mask covers in any frame, in every frame: where, without when. Shapes: [F, H, W] in and out."""
    return mask.amax(0, keepdim=True).repeat(len(mask), 1, 1)


def feather_mask(mask: Tensor, *, px: int = 0, frames: int = 0) -> Tensor:
    """The mask with edges softened by a Gaussian that reaches `px` pixels and `frames` frames, no further.

    Shapes: [F, H, W] in and out.
    Guarantees: exactly 0 wherever the mask is 0 within that reach. The ramp runs half inside the mask, half
    outside; grow the mask by the same amount first to keep its inside whole.
    """
    soft = mask.float()
    if px:
        soft = torch.stack([_blurred(_blurred(frame, px, 0), px, 1) for frame in soft])
    if frames:
        soft = _blurred(soft, frames, 0)
    return soft.clamp(0, 1)


@dataclass(frozen=True)
class TimeReach:
    """What a time range really touches: frames share a latent frame, and the mask sees one frame of each.

    Units: frames and latent frames counted from 0; ranges include both ends.
    """

    asked: tuple[int, int]
    edited_latents: tuple[int, ...]  # those holding pixels of the asked frames
    marked_latents: tuple[int, ...]  # those whose mask channels say "edit"
    reached: tuple[int, int]  # all frames stored in either kind
    frames_per_latent: int

    @property
    def is_exact(self) -> bool:
        """Whether pixels and mask channels agree, and nothing beyond the asked frames is touched."""
        return self.edited_latents == self.marked_latents and self.reached == self.asked

    def describe(self) -> str:
        """One sentence for the person who chose the range."""
        asked, reached = (f"{first}-{last}" for first, last in (self.asked, self.reached))
        if self.is_exact:
            return f"The time range {asked} falls on whole latent frames."
        if not self.marked_latents:
            return (
                f"The time range {asked} is too short for the model to see in its mask, "
                f"which looks at one frame in {self.frames_per_latent}: it may come out unedited."
            )
        return (
            f"For the time range {asked} the model works on frames {reached}, because "
            f"{self.frames_per_latent} frames share a latent frame and its mask looks at one of them: "
            "only pasting back keeps the others."
        )


def time_reach(when: tuple[int, int], frames: int, lattice: Lattice) -> TimeReach:
    """The latent frames that an edit of the frames `when` = (first, last) touches in a clip of `frames`.

    Raises: BadInput for a range outside the clip or a length that is not legal.
    """
    check_time_range(when, frames)
    first, last = when
    per_latent = lattice.frames_per_latent
    # Frame 0 is stored alone, then 1-4, 5-8, ...
    edited = tuple(range(-(-first // per_latent), -(-last // per_latent) + 1))
    marked = tuple(t for t, pick in enumerate(lattice.mask_frame_picks(frames)) if first <= pick <= last)
    touched = edited + marked
    begin = max(0, per_latent * (min(touched) - 1) + 1)
    return TimeReach(when, edited, marked, (begin, per_latent * max(touched)), per_latent)


def _widened(plane: Tensor, reach: int) -> Tensor:
    """The largest value within a disc around each pixel, [H, W]: line by line of the disc, from its ends to its middle."""
    height, width = plane.shape
    widest, line, half = plane.clone(), plane.clone(), 0
    for away in range(reach, -1, -1):
        while half < isqrt(reach**2 - away**2):
            half += 1
            if half < width:
                line[:, half:] = torch.maximum(line[:, half:], plane[:, :-half])
                line[:, :-half] = torch.maximum(line[:, :-half], plane[:, half:])
        if away < height:
            widest[away:] = torch.maximum(widest[away:], line[: height - away])
            widest[: height - away] = torch.maximum(widest[: height - away], line[away:])
    return widest


def _lasting(mask: Tensor, frames: int) -> Tensor:
    """The largest value of each pixel within so many frames, [F, H, W]."""
    longest = mask.clone()
    for away in range(1, min(frames, len(mask) - 1) + 1):
        longest[away:] = torch.maximum(longest[away:], mask[:-away])
        longest[:-away] = torch.maximum(longest[:-away], mask[away:])
    return longest


def _blurred(values: Tensor, reach: int, axis: int) -> Tensor:
    """Along one axis, by a Gaussian; the border goes on beyond the edge.

    Summed as differences, so that where all within the reach is one value, 0 and 1 above all, it stays exactly that.
    """
    # Three deviations within the reach: its end weighs 1 % of its centre, so the cut is not seen.
    weights = torch.exp(-((torch.arange(-reach, reach + 1, dtype=torch.float64) * 3 / reach) ** 2) / 2)
    weights = weights / weights.sum()
    length = values.shape[axis]
    places = torch.arange(-reach, length + reach, device=values.device).clamp(0, length - 1)
    wide = values.index_select(axis, places)
    if reach > _SUMMED:
        return _filtered(values, wide, weights, axis)
    result = values.clone()
    for offset, weight in enumerate(weights.tolist()):
        result.add_(wide.narrow(axis, offset, length) - values, alpha=weight)
    return result


def _filtered(values: Tensor, wide: Tensor, weights: Tensor, axis: int) -> Tensor:
    """The same by the Fourier transform, whose cost hardly grows with the reach: equal up to rounding, and where all is one value."""
    length, num_weights, num_wide = values.shape[axis], len(weights), wide.shape[axis]
    num_points = 64 * -(-num_wide // 64)  # lengths with large prime factors are slow
    shape = [-1 if place == axis % values.ndim else 1 for place in range(values.ndim)]
    response = torch.fft.rfft(weights.to(values), n=num_points).view(shape)
    spectrum = torch.fft.rfft(wide, n=num_points, dim=axis) * response
    blurred = torch.fft.irfft(spectrum, n=num_points, dim=axis).narrow(axis, num_weights - 1, length)
    changes = wide.narrow(axis, 1, num_wide - 1) != wide.narrow(axis, 0, num_wide - 1)
    counted = changes.cumsum(axis, dtype=torch.int32)
    before = torch.cat([torch.zeros_like(counted.narrow(axis, 0, 1)), counted], dim=axis)
    is_one_value = before.narrow(axis, num_weights - 1, length) == before.narrow(axis, 0, length)
    return torch.where(is_one_value, values, blurred)
