"""Fitting a clip to a size and length the model can work on, and undoing it in the result."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Literal, get_args

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice

if TYPE_CHECKING:
    from fractions import Fraction

Method = Literal["pad", "crop", "stretch", "area"]
METHODS: tuple[Method, ...] = get_args(Method)
Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.height, self.width

    @property
    def index(self) -> tuple[slice, slice, slice]:
        """Picks the box out of [F, H, W, C]."""
        return (
            slice(None),
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


@dataclass(frozen=True)
class FitPlan:
    """How a clip is brought to a legal size and length: its part `kept` becomes the part `placed`.

    What is placed is surrounded by its repeated border, and followed by its repeated last frame. What is not
    kept is not edited, and stands in the result as it was.

    Units: sizes are (height, width) in pixels.
    """

    source_frames: int
    source_size: Size
    frames: int
    size: Size
    kept: Box
    placed: Box
    lattice: Lattice

    @property
    def is_identity(self) -> bool:
        """Whether the clip is legal as it stands."""
        return (self.source_frames, self.source_size) == (self.frames, self.size) and not self.is_cropped

    @property
    def is_cropped(self) -> bool:
        """Whether a part of the source stays out of the edit."""
        return self.kept.size != self.source_size

    def describe(self) -> str:
        """One sentence for the person whose clip it is."""
        clip = f"{_named(self.source_size)}, {self.source_frames} frames"
        if self.is_identity:
            return f"The clip is edited as it is: {clip}."
        steps: list[str] = []
        if self.is_cropped:
            steps.append(f"only its central {_named(self.kept.size)} are edited")
        if self.kept.size != self.placed.size:
            steps.append(f"scaled to {_named(self.placed.size)}")
        if self.placed.size != self.size:
            steps.append("bordered by its own edge pixels")
        if self.frames > self.source_frames:
            steps.append(f"its last frame repeated {self.frames - self.source_frames} times")
        work = f"{_named(self.size)}, {self.frames} frames"
        return f"The clip ({clip}) is worked on as {work}: {'; '.join(steps)}; the result is {clip} again."


def plan_fit(
    frames: int,
    height: int,
    width: int,
    *,
    lattice: Lattice,
    size: Size | None = None,
    method: Method | None = None,
) -> FitPlan:
    """The way from a clip to the legal size and length nearest to it, or to `size` = (height, width).

    `lattice` is that of the model that works on it, and says what is legal.

    `pad` keeps everything and its aspect, `crop` fills the working size and edits the centre, `stretch` fills
    it with everything. `area` works on everything at `size_of_area`, with as many pixels as `size` or the clip has.
    Too few frames are made up by repeating the last; none is ever dropped.

    Raises: BadInput when there is nothing to fit, `size` is not legal, or fitting is needed but no method is
        given; the message offers the nearest legal numbers.
    """
    if min(frames, height, width) < 1:
        raise BadInput(
            f"the clip has {frames} frames of {_named((height, width))}: give a clip with at least one frame."
        )
    if size is not None and lattice.nearest_size(*size) != size:
        raise BadInput(
            f"the size {_named(size)} is not a multiple of {lattice.size_multiple} both ways: "
            f"ask for {_named(lattice.nearest_size(*size))}."
        )
    if method is None:
        _refuse_unfit(frames, (height, width), size, lattice)
        method = "pad"  # it has nothing to do then
    source = Box(0, 0, height, width)
    target = _target(source.size, size, method, lattice)
    kept, placed = _boxes(source.size, target, method, is_free=size is None)
    return FitPlan(frames, source.size, lattice.frames_at_least(frames), target, kept, placed, lattice)


def size_of_area(source: Size, area: Size, lattice: Lattice) -> Size:
    """The legal size nearest to the aspect of `source` that has about the pixels of `area`, and no more.

    16:9 on the pixels of 832x480 is 832x464, as Ditto's published graph has it.

    Guarantees: a legal size on its own pixels is itself; turned by a quarter, the answer turns too.
    """
    budget = max(1, area[0] * area[1] // lattice.size_multiple**2)
    short, long = min(source), max(source)
    fitting = isqrt(budget * short // long)
    found: list[tuple[int, int]] = []
    for across in {max(1, fitting), fitting + 1}:
        if across <= budget:
            wanted = (2 * across * long + short) // (2 * short)
            found.append((across, max(1, min(wanted, budget // across))))
    # Of equally near ones the larger; aspects are compared as how many times one is the other.
    across, along = min(found, key=lambda sides: (_apart(sides, (short, long)), -sides[0]))
    sides = (across * lattice.size_multiple, along * lattice.size_multiple)
    return sides if source[0] <= source[1] else (sides[1], sides[0])


def fit(clip: Tensor, plan: FitPlan) -> Tensor:
    """The clip at the working size and length of the plan.

    Shapes: [F, H, W, C] in [0, 1], in and out; the same tensor when there is nothing to do.
    """
    _expect(clip, plan.source_frames, plan.source_size)
    if plan.is_identity:
        return clip
    part = _resize(clip[plan.kept.index], plan.placed.size)
    below = plan.size[0] - plan.placed.top - plan.placed.height
    right = plan.size[1] - plan.placed.left - plan.placed.width
    borders = (plan.placed.left, right, plan.placed.top, below)
    if any(borders):
        part = F.pad(part.permute(0, 3, 1, 2), borders, mode="replicate").permute(0, 2, 3, 1)
    last = part[-1:].expand(plan.frames - plan.source_frames, -1, -1, -1)
    return torch.cat([part, last])


def fit_mask(mask: Tensor, plan: FitPlan) -> Tensor:
    """The mask [F, H, W] brought to the same working size and length as its clip."""
    return fit(mask[..., None], plan)[..., 0]


def restore(edited: Tensor, plan: FitPlan, source: Tensor) -> Tensor:
    """The edited clip back at the size and length of the source.

    Shapes: edited [frames, *size, 3] of the plan; source and result [F, H, W, 3] as before `fit`.
    Guarantees: pixels that were only bordered or cropped, not scaled, come back bit for bit. After scaling,
        `paste_back` with the source and its own mask brings the kept pixels back exactly.
    """
    _expect(edited, plan.frames, plan.size)
    _expect(source, plan.source_frames, plan.source_size)
    part = _resize(edited[: plan.source_frames][plan.placed.index], plan.kept.size)
    if not plan.is_cropped:
        return part
    restored = source.clone()
    restored[plan.kept.index] = part.to(source)
    return restored


def check_clip(clip: Tensor) -> None:
    """Refuse what is not a clip.

    Raises: BadInput for a wrong form, no frames, or values outside 0..1 (NaN included).
    """
    if clip.ndim != 4 or clip.shape[3] != 3 or clip.numel() == 0:
        raise BadInput(
            f"the clip has shape {tuple(clip.shape)}, but a clip is [frames, height, width, 3] "
            "with at least one frame: pass RGB frames without alpha."
        )
    if not is_in_unit_range(clip):
        raise BadInput("the clip has values outside 0..1 or NaN: divide 8-bit frames by 255.")


def is_in_unit_range(values: Tensor) -> bool:
    """Whether all values lie in 0..1; NaN does not."""
    if values.numel() == 0:
        return True
    # Both ends are NaN as soon as one value is, and then compare as false.
    low, high = values.aminmax()
    return bool(low >= 0) and bool(high <= 1)


def as_video(clip: Tensor) -> Tensor:
    """The clip as a VAE takes it: [F, H, W, 3] in [0, 1] -> [3, F, H, W] in [-1, 1]."""
    return rearrange(clip, "f h w c -> c f h w") * 2 - 1


def as_clip(video: Tensor) -> Tensor:
    """The clip a VAE has decoded: [3, F, H, W] in [-1, 1] -> [F, H, W, 3] in [0, 1], clamped."""
    return rearrange(video, "c f h w -> f h w c").add(1).div(2).clamp(0, 1)


def _refuse_unfit(frames: int, source: Size, size: Size | None, lattice: Lattice) -> None:
    wanted = size or lattice.nearest_size(*source)
    if source == wanted and lattice.frames_at_least(frames) == frames:
        return
    padded = (
        f"{_named(size or _legal_size(source, 'pad', lattice))} and {lattice.frames_at_least(frames)} frames"
    )
    raise BadInput(
        f"the clip is {_named(source)} with {frames} frames, but the model works on {_named(wanted)} and "
        f"{lattice.nearest_frames(frames)} frames: choose the fit 'pad' to work on {padded} and have it "
        "undone in the result (or 'area', 'crop', or 'stretch'), or bring the clip to those numbers.",
        setting="fit",
    )


def _target(source: Size, size: Size | None, method: Method, lattice: Lattice) -> Size:
    if method == "area":
        return size_of_area(source, size or source, lattice)
    return size or _legal_size(source, method, lattice)


def _apart(sides: tuple[int, int], aspect: tuple[int, int]) -> Fraction:
    from fractions import Fraction  # brings decimal along, for this one fit

    ratio = Fraction(sides[0] * aspect[1], sides[1] * aspect[0])
    return max(ratio, 1 / ratio)


def _legal_size(source: Size, method: Method, lattice: Lattice) -> Size:
    height, width = source
    if method == "stretch":
        return lattice.nearest_size(height, width)
    room = 0 if method == "pad" else lattice.size_multiple - 1
    return lattice.side_at_least(height - room), lattice.side_at_least(width - room)


def _boxes(source: Size, target: Size, method: Method, *, is_free: bool) -> tuple[Box, Box]:
    """The part of the source that is edited, and where it lands in the working frame."""
    whole = _centred(source, source), _centred(target, target)
    scales = [room / length for room, length in zip(target, source, strict=True)]
    if method == "pad":
        scale = 1.0 if is_free else min(scales)
        return whole[0], _centred(_scaled(source, scale, target), target)
    if method == "crop":
        # A clip smaller than the smallest legal size has to grow even when no size was asked for.
        scale = 1.0 if is_free and max(scales) <= 1 else max(scales)
        return _centred(_scaled(target, 1 / scale, source), source), whole[1]
    return whole


def _scaled(size: Size, scale: float, limit: Size) -> Size:
    height, width = (
        min(most, max(1, round(length * scale))) for length, most in zip(size, limit, strict=True)
    )
    return height, width


def _centred(inner: Size, outer: Size) -> Box:
    return Box((outer[0] - inner[0]) // 2, (outer[1] - inner[1]) // 2, *inner)


def _resize(images: Tensor, size: Size) -> Tensor:
    if images.shape[1:3] == size:
        return images
    # Bicubic with antialiasing is how the published pipeline resizes clips; it can overshoot the range.
    resized = F.interpolate(
        images.permute(0, 3, 1, 2), size=size, mode="bicubic", antialias=True, align_corners=False
    )
    return resized.permute(0, 2, 3, 1).clamp(0, 1)


def _expect(images: Tensor, frames: int, size: Size) -> None:
    if tuple(images.shape[:3]) != (frames, *size):
        raise ValueError(f"the plan is for {frames} frames of {_named(size)}, not {tuple(images.shape)}")


def _named(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
