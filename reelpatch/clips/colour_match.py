"""Colour match: an edited clip gets back the colours of its source, measured where both should agree."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Match = Literal["mean", "histogram"]
_LEVELS = 256
_SMALLEST_SPREAD = 1 / 255  # plain surfaces have none, and a gain from rounding alone means nothing
_MOST_GAIN = 4.0


def match_colour(
    edited: Tensor, source: Tensor, kept: Tensor | None, *, by: Match, smooth_frames: float = 0
) -> Tensor:
    """The edited clip with its colours moved as it takes to make the kept pixels those of the source.

    `mean` matches mean and spread of each channel (Reinhard et al. 2001, in RGB), `histogram` all of its values.
    The move is the same for every pixel of a frame, edited or kept; what it is follows the clip over about
    `smooth_frames` frames (the deviation of a Gaussian), so that it cannot flicker, or is one for the whole clip at 0.
    A frame without kept pixels takes it from its neighbours.

    Shapes: edited, source [F, H, W, 3] in [0, 1]; kept [F, H, W] bool, or None for all pixels, which also undoes changes
    of colour that were asked for. The clip comes back as it is where no pixel is kept.
    Guarantees: colours that match already stay as they are, up to rounding (`mean`) or half a level (`histogram`).
    """
    if kept is not None and not bool(kept.any()):
        return edited
    weights = _time_weights(len(edited), smooth_frames)
    frames = [None] * len(edited) if kept is None else list(kept)
    matched = _by_mean if by == "mean" else _by_histogram
    return matched(edited, source.to(edited), frames, weights.to(edited.device))


def match_part(edited: Tensor, part: Tensor, wanted: Tensor) -> Tensor:
    """The clip with the one move of its colours that gives a part of it the mean and spread of another clip.

    Shapes: edited and result [F, H, W, 3], part and wanted [f, H, W, 3], all in [0, 1].
    Guarantees: as `match_colour` by `mean`.
    """
    sums = [_moments(clip, [None] * len(clip)).sum(0, keepdim=True) for clip in (part, wanted)]
    return _moved(edited, *(_mean_and_spread(one) for one in sums))


def _by_mean(edited: Tensor, source: Tensor, kept: Sequence[Tensor | None], weights: Tensor) -> Tensor:
    sums = [_moments(clip, kept) for clip in (edited, source)]
    return _moved(edited, *(_mean_and_spread(weights @ one) for one in sums))


def _moved(edited: Tensor, found: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> Tensor:
    """The clip after what takes mean and spread, [F or 1, 3] each, to those wanted."""
    (mean, spread), (wanted_mean, wanted_spread) = found, wanted
    gain = torch.where(
        torch.minimum(spread, wanted_spread) < _SMALLEST_SPREAD, 1.0, wanted_spread / spread.clamp(min=1e-9)
    ).clamp(1 / _MOST_GAIN, _MOST_GAIN)
    offset = wanted_mean - gain * mean
    gain, offset = (one[:, None, None].to(edited) for one in (gain, offset))
    return (edited * gain + offset).clamp(0, 1)


def _moments(clip: Tensor, kept: Sequence[Tensor | None]) -> Tensor:
    """[F, 7]: the number of pixels, their sum and their sum of squares by channel."""
    rows: list[Tensor] = []
    for frame, where in zip(clip, kept, strict=True):
        pixels = (frame.flatten(0, 1) if where is None else frame[where]).double()
        number = torch.full((1,), float(len(pixels)), dtype=torch.float64, device=clip.device)
        rows.append(torch.cat([number, pixels.sum(0), pixels.square().sum(0)]))
    return torch.stack(rows)


def _mean_and_spread(sums: Tensor) -> tuple[Tensor, Tensor]:
    number, first, second = sums.split([1, 3, 3], dim=1)
    mean = first / number
    return mean, (second / number - mean.square()).clamp(min=0).sqrt()


def _by_histogram(edited: Tensor, source: Tensor, kept: Sequence[Tensor | None], weights: Tensor) -> Tensor:
    have, want = (_cumulative(clip, kept, weights) for clip in (edited, source))
    frames: list[Tensor] = []
    for index, frame in enumerate(edited):
        channels = [
            _looked_up(frame[..., channel], _transfer(have[index, channel], want[index, channel]))
            for channel in range(3)
        ]
        frames.append(torch.stack(channels, dim=-1))
    return torch.stack(frames)


def _cumulative(clip: Tensor, kept: Sequence[Tensor | None], weights: Tensor) -> Tensor:
    """[F, 3, 256]: which part of a channel's values is at most so high."""
    counts = torch.stack(
        [_counts(frame if where is None else frame[where]) for frame, where in zip(clip, kept, strict=True)]
    )
    smooth = torch.einsum("fg,gcv->fcv", weights, counts)
    return (smooth / smooth.sum(-1, keepdim=True)).cumsum(-1)


def _counts(pixels: Tensor) -> Tensor:
    levels = (pixels.reshape(-1, 3) * (_LEVELS - 1)).round().long()
    return torch.stack([torch.bincount(levels[:, c], minlength=_LEVELS) for c in range(3)]).double()


def _transfer(have: Tensor, want: Tensor) -> Tensor:
    """[256]: the level that as many values of the source lie below as below each level of the edit.

    Both are taken at the middle of their level's share, so that equal histograms leave levels where they are.
    """
    middle, wanted = (share - torch.diff(share, prepend=share.new_zeros(1)) / 2 for share in (have, want))
    levels = torch.arange(_LEVELS, dtype=torch.float64, device=have.device)
    present = torch.diff(want, prepend=want.new_zeros(1)) > 0
    known, at = wanted[present], levels[present]
    above = torch.searchsorted(known, middle).clamp(1, max(len(known) - 1, 1))
    if len(known) == 1:
        return at.expand(_LEVELS)
    low, high = known[above - 1], known[above]
    part = ((middle - low) / (high - low)).clamp(0, 1)
    return torch.lerp(at[above - 1], at[above], part)


def _looked_up(values: Tensor, table: Tensor) -> Tensor:
    """The table read between its levels; values in [0, 1]."""
    scaled = values.double().clamp(0, 1) * (_LEVELS - 1)
    below = scaled.floor().long().clamp(max=_LEVELS - 2)
    return (torch.lerp(table[below], table[below + 1], scaled - below) / (_LEVELS - 1)).to(values)


def _time_weights(frames: int, smooth_frames: float) -> Tensor:
    """[F, F]: how much each frame (column) counts for each frame (row)."""
    if smooth_frames == 0:
        return torch.ones(frames, frames, dtype=torch.float64)
    times = torch.arange(frames, dtype=torch.float64)
    distance = (times[:, None] - times) / smooth_frames
    # Not quite nothing far away: frames without pixels of their own still find some.
    return torch.exp(-distance.square() / 2) + 1e-12
