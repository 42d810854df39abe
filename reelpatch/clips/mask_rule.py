"""The one rule for masks from files: which channel is taken and what its values mean, said and never guessed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelpatch.clips.mask_levels import LOSSY_NOISE, Levels, find_levels, is_constant
from reelpatch.clips.mask_picture import MASK_CHANNELS, MaskChannel, MaskPicture
from reelpatch.errors import BadInput

_MOST_SAMPLES = 8
_MOST_COLOURS = 64
_WORDS: dict[MaskChannel, str] = {
    "luma": "brightness",
    "inverse-luma": "darkness",
    "alpha": "opacity",
    "inverse-alpha": "transparency",
    "red": "red channel",
    "green": "green channel",
    "blue": "blue channel",
    "labels": "colours but black and PASCAL VOC's void",
}


@dataclass(frozen=True, slots=True)
class AskedMask:
    """What was asked of a mask: which channel, and from which part of its scale on it is edited.

    Units: threshold 0..1, where 0 takes values as they are and None finds out.
    Raises: BadInput for an unknown channel, and for a threshold outside 0..1.
    """

    channel: MaskChannel = "auto"
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.channel not in MASK_CHANNELS:
            raise BadInput(
                f"there is no mask channel '{self.channel}': use one of {', '.join(MASK_CHANNELS)}.",
                setting="mask_channel",
            )
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise BadInput(
                f"the mask threshold is {self.threshold:g}: use 0 (values as they are) to 1 (white alone).",
                setting="mask_threshold",
            )

    @property
    def is_any(self) -> bool:
        """Whether the user said how the mask is meant, so that nothing is a guess."""
        return self.channel != "auto" or self.threshold is not None


@dataclass(frozen=True)
class MaskReading:
    """What is taken of the pictures of one mask."""

    name: str
    channel: MaskChannel
    levels: Levels

    def apply(self, picture: MaskPicture) -> Tensor:
        """The mask [H, W] in [0, 1]."""
        return torch.from_numpy(self.levels.apply(picture.plane(self.channel)))

    def describe(self) -> str:
        """One sentence for the person whose mask it is."""
        return f"The mask {self.name} is taken from its {_WORDS[self.channel]}: {self.levels.words}."


def read_rule(name: str, pictures: Iterable[MaskPicture], asked: AskedMask, *, is_lossy: bool) -> MaskReading:
    """What to take of the pictures of a mask, which are looked at one by one; not more than a few are held.

    Raises: BadInput where the pictures do not tell, naming the option that does.
    """
    seen = _Seen(asked.channel)
    for picture in pictures:
        seen.add(picture)
    channel = asked.channel if asked.channel != "auto" else _chosen(name, seen, is_lossy=is_lossy)
    if channel in ("alpha", "inverse-alpha") and not seen.has_alpha:
        raise BadInput(
            f"the mask {name} has no transparency: take its brightness (luma) or a colour.",
            setting="mask_channel",
        )
    planes = [picture.plane(channel) for picture in seen.samples]
    full = 255 if "alpha" in channel else int(np.iinfo(planes[0].dtype).max)
    values = sorted(seen.values[channel])
    levels = find_levels(values, planes, full=full, is_lossy=is_lossy, threshold=asked.threshold)
    return MaskReading(name, channel, levels)


class _Seen:
    """What the pictures of a mask have, over all of them, and some of those that show anything."""

    def __init__(self, channel: MaskChannel) -> None:
        self._channels: Sequence[MaskChannel] = (
            ("luma", "alpha", "inverse-alpha", "labels") if channel == "auto" else (channel,)
        )
        self.values: dict[MaskChannel, set[int]] = defaultdict(set)
        self.samples: list[MaskPicture] = []
        self.has_alpha = False
        self._stride, self._shown = 1, 0

    def add(self, picture: MaskPicture) -> None:
        is_even = True
        for channel in self._channels:
            values = np.bincount(picture.plane(channel).ravel()).nonzero()[0].tolist()
            self.values[channel].update(values)
            is_even = is_even and len(values) == 1
        self.has_alpha = self.has_alpha or picture.alpha is not None
        if is_even and self.samples:
            return
        if self._shown % self._stride == 0:
            self.samples.append(picture)
        self._shown += 1
        if len(self.samples) > _MOST_SAMPLES:
            self.samples, self._stride = self.samples[::2], 2 * self._stride


def _chosen(name: str, seen: _Seen, *, is_lossy: bool) -> MaskChannel:
    if not _varies(seen.values["alpha"], 255, is_lossy=is_lossy):
        return _of_colour(name, seen, is_lossy=is_lossy)
    colours = np.concatenate([_visible(picture) for picture in seen.samples])
    if not len(colours) or bool((np.ptp(colours, axis=0) <= _tolerance(seen)).all()):
        return "alpha"  # paint of one colour: its own says nothing
    if _is_picture(colours, seen.samples[0].full) and _has_hole(seen.samples):
        return "inverse-alpha"  # as mask editors save the picture that was painted on
    raise BadInput(
        f"the mask {name} has transparent parts and colours too, and either may be what is edited: say which, opaque "
        "parts (alpha), transparent parts (inverse-alpha) or bright ones (luma).",
        setting="mask_channel",
    )


def _of_colour(name: str, seen: _Seen, *, is_lossy: bool) -> MaskChannel:
    """For an opaque mask: brightness of gray; of coloured labels, all that is not black."""
    coloured = np.mean([picture.coloured().mean() for picture in seen.samples])
    if coloured <= 0.001:
        return "luma"
    if not is_lossy and 0 in seen.values["labels"] and _num_colours(seen.samples) <= _MOST_COLOURS:
        return "labels"
    planes = [picture.plane("luma") for picture in seen.samples]
    levels = find_levels(sorted(seen.values["luma"]), planes, full=255, is_lossy=is_lossy, threshold=None)
    if levels.cut is not None and levels.keep <= LOSSY_NOISE and is_lossy:
        return "luma"  # one colour on black
    raise BadInput(
        f"the mask {name} is a coloured picture, in which nothing tells what is edited: give black and white, or say "
        f"what to take of it ({', '.join(MASK_CHANNELS[1:])}).",
        setting="mask_channel",
    )


def _varies(values: set[int], full: int, *, is_lossy: bool) -> bool:
    return bool(values) and not is_constant(min(values), max(values), full, is_lossy=is_lossy)


def _tolerance(seen: _Seen) -> float:
    return LOSSY_NOISE * seen.samples[0].full / 255


def _visible(picture: MaskPicture) -> NDArray[np.int64]:
    """The colours [n, 1 | 3] of what is opaque rather than transparent."""
    colour = picture.colour.reshape(*picture.size, -1).astype(np.int64)
    return colour[picture.plane("alpha") >= 128]


def _is_picture(colours: NDArray[np.int64], full: int) -> bool:
    """Whether colours [n, c] are those of a picture, not those of a black and white mask."""
    is_gray = np.ptp(colours, axis=1) <= LOSSY_NOISE * full / 255
    brightness = colours.mean(1) / full
    is_middle = (brightness > 0.15) & (brightness < 0.85)
    return bool((~is_gray).mean() > 0.05 or is_middle.mean() > 0.2)


def _has_hole(samples: Sequence[MaskPicture]) -> bool:
    """Whether what is transparent lies inside the picture: a cut-out is transparent around what it shows."""
    clear = np.stack([picture.plane("alpha") < 128 for picture in samples])
    border = np.concatenate([clear[:, 0], clear[:, -1], clear[:, :, 0], clear[:, :, -1]], axis=1)
    return bool(border.mean() <= 0.25 and clear.mean() < 0.5)


def _num_colours(samples: Sequence[MaskPicture]) -> int:
    colours: set[int] = set()
    for picture in samples:
        red, green, blue = (picture.colour[..., index].astype(np.int64) for index in range(3))
        colours.update(np.unique(red << 16 | green << 8 | blue).tolist())
    return len(colours)
