"""A mask track: regions over time that say where and when a clip is edited; the records that its JSON is made of.

Units: positions, sizes and lengths are in fractions of the frame or in pixels of the source, times in seconds or frames of
the source, as the track says. A pixel covers one unit: its centre is at .5, and the frame reaches from 0 to its width.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar, Literal

from reelpatch.clips.mask_picture import MASK_CHANNELS, MaskChannel
from reelpatch.clips.mask_track.forms import (
    Choice,
    Maybe,
    Number,
    OneOf,
    Several,
    Text,
    Time,
    held,
    misfit,
    settle,
)

VERSION = 1
MOST_SMOOTH_FRAMES = 16
_FAR = 1e6
_PLACE = Several(Number(-_FAR, _FAR), 2, 2)
_EXTENT = Several(Number(0, _FAR), 2, 2)
_LENGTH = Number(0, _FAR)
_MOST_POINTS, _MOST_KEYFRAMES, _MOST_REGIONS = 1024, 4096, 256
_SPAN = Time(least=0)

Units = Literal["fractions", "pixels"]
Times = Literal["seconds", "frames"]
Ease = Literal["linear", "smooth", "hold"]


@dataclass(frozen=True)
class Whole:
    """All of the frame."""

    kind: ClassVar[str] = "whole"


@dataclass(frozen=True)
class Box:
    """An upright box, until a keyframe turns it."""

    kind: ClassVar[str] = "box"
    centre: tuple[float, float] = field(metadata=held(_PLACE, "x and y of its centre"))
    size: tuple[float, float] = field(metadata=held(_EXTENT, "width and height"))

    def __post_init__(self) -> None:
        settle(self)


@dataclass(frozen=True)
class Ellipse:
    """An ellipse, until a keyframe turns it with upright axes."""

    kind: ClassVar[str] = "ellipse"
    centre: tuple[float, float] = field(metadata=held(_PLACE, "x and y of its centre"))
    size: tuple[float, float] = field(metadata=held(_EXTENT, "width and height"))

    def __post_init__(self) -> None:
        settle(self)


@dataclass(frozen=True)
class Polygon:
    """What a closed line around these points goes around at least once."""

    kind: ClassVar[str] = "polygon"
    points: tuple[tuple[float, float], ...] = field(
        metadata=held(Several(_PLACE, 3, _MOST_POINTS), "x and y of each corner")
    )

    def __post_init__(self) -> None:
        settle(self)


@dataclass(frozen=True)
class Stroke:
    """A line drawn by hand with a round brush."""

    kind: ClassVar[str] = "stroke"
    points: tuple[tuple[float, float], ...] = field(
        metadata=held(Several(_PLACE, 1, _MOST_POINTS), "x and y of each point of the line")
    )
    width: float = field(
        metadata=held(_LENGTH, "how wide the brush is; in fractions, of the shorter side of the frame")
    )

    def __post_init__(self) -> None:
        settle(self)


@dataclass(frozen=True)
class Masks:
    """A mask from elsewhere, such as what a tracker made: a file, or without one what is connected to the node."""

    kind: ClassVar[str] = "masks"
    file: str = field(
        default="",
        metadata=held(
            Text(1000), "image, clip or folder of the source's size, beside the track or by its full path"
        ),
    )
    channel: MaskChannel = field(
        default="auto", metadata=held(Choice(MASK_CHANNELS), "which channel of the file marks what is edited")
    )
    threshold: float | None = field(
        default=None, metadata=held(Maybe(Number(0, 1)), "from which part of its scale on the file is edited")
    )

    def __post_init__(self) -> None:
        settle(self)


Shape = Whole | Box | Ellipse | Polygon | Stroke | Masks


@dataclass(frozen=True)
class Linear:
    """A ramp that fades evenly."""

    kind: ClassVar[str] = "linear"
    length: Fraction = field(metadata=held(_SPAN, "how long it takes"))

    def __post_init__(self) -> None:
        settle(self)


@dataclass(frozen=True)
class Smooth:
    """A ramp that fades slowly at both ends (3p^2 - 2p^3)."""

    kind: ClassVar[str] = "smooth"
    length: Fraction = field(metadata=held(_SPAN, "how long it takes"))

    def __post_init__(self) -> None:
        settle(self)


@dataclass(frozen=True)
class Wipe:
    """A ramp in which an edge moves across the region."""

    kind: ClassVar[str] = "wipe"
    length: Fraction = field(metadata=held(_SPAN, "how long it takes"))
    direction: float = field(
        default=0.0, metadata=held(Number(-360, 360), "where the edge moves to, in degrees: 0 right, 90 down")
    )
    edge: float = field(default=0.0, metadata=held(_LENGTH, "how wide the soft edge is, at least a pixel"))

    def __post_init__(self) -> None:
        settle(self)


@dataclass(frozen=True)
class Grow:
    """A ramp in which a circle grows from a point until the region is full."""

    kind: ClassVar[str] = "grow"
    length: Fraction = field(metadata=held(_SPAN, "how long it takes"))
    point: tuple[float, float] = field(metadata=held(_PLACE, "x and y of where it begins"))
    edge: float = field(default=0.0, metadata=held(_LENGTH, "how wide the soft edge is, at least a pixel"))

    def __post_init__(self) -> None:
        settle(self)


@dataclass(frozen=True)
class Dissolve:
    """A ramp in which grains come one after the other, in an order that the seed fixes."""

    kind: ClassVar[str] = "dissolve"
    length: Fraction = field(metadata=held(_SPAN, "how long it takes"))
    seed: int = field(default=0, metadata=held(Number(0, 2**32 - 1, is_count=True), "fixes the order"))
    grain: int = field(
        default=8, metadata=held(Number(1, 1024, is_count=True), "side of a grain in pixels of the source")
    )

    def __post_init__(self) -> None:
        settle(self)


Ramp = Linear | Smooth | Wipe | Grow | Dissolve
_RAMPS = OneOf((Linear, Smooth, Wipe, Grow, Dissolve))


@dataclass(frozen=True)
class Envelope:
    """When a region is there: from `start` to before `end`, with a ramp at either."""

    start: Fraction | None = field(
        default=None, metadata=held(Maybe(Time()), "from when on it is there; left out: from the first frame")
    )
    ramp_in: Ramp | None = field(default=None, metadata=held(Maybe(_RAMPS), "how it comes, from start on"))
    end: Fraction | None = field(
        default=None, metadata=held(Maybe(Time()), "when it is gone; left out: never")
    )
    ramp_out: Ramp | None = field(default=None, metadata=held(Maybe(_RAMPS), "how it goes, until end"))

    def __post_init__(self) -> None:
        settle(self)
        if self.ramp_in is not None and self.start is None:
            raise misfit("there is a ramp_in, but no start that it begins at: add it")
        if self.ramp_out is not None and self.end is None:
            raise misfit("there is a ramp_out, but no end that it leads to: add it")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise misfit("an end is not after its start: make it later")


@dataclass(frozen=True)
class Keyframe:
    """Where a region is at a moment; what it does not name goes on between the keyframes that do."""

    at: Fraction = field(metadata=held(Time(), "when"))
    position: tuple[float, float] | None = field(
        default=None,
        metadata=held(Maybe(_PLACE), "x and y of the centre of its bounding box, before it is turned"),
    )
    size: tuple[float, float] | None = field(
        default=None,
        metadata=held(Maybe(_EXTENT), "width and height of its bounding box, before it is turned"),
    )
    rotation: float | None = field(
        default=None, metadata=held(Maybe(Number(-36000, 36000)), "degrees, clockwise around its centre")
    )
    value: float | None = field(default=None, metadata=held(Maybe(Number(0, 1)), "how much is edited"))
    feather: float | None = field(
        default=None, metadata=held(Maybe(_LENGTH), "how far its edge is softened each way")
    )
    ease: Ease = field(
        default="linear",
        metadata=held(Choice(("linear", "smooth", "hold")), "how it goes on to the next keyframe"),
    )

    def __post_init__(self) -> None:
        settle(self)


@dataclass(frozen=True)
class Region:
    """One shape over time, added to the regions before it or taken away from them."""

    shape: Shape = field(
        metadata=held(OneOf((Whole, Box, Ellipse, Polygon, Stroke, Masks)), "what it covers")
    )
    name: str = field(default="", metadata=held(Text(200), "for people"))
    mode: Literal["add", "subtract"] = field(
        default="add",
        metadata=held(
            Choice(("add", "subtract")), "add: the larger value holds; subtract: at most what it leaves"
        ),
    )
    envelope: Envelope = field(default=Envelope(), metadata=held(OneOf((Envelope,)), "when it is there"))
    keyframes: tuple[Keyframe, ...] = field(
        default=(),
        metadata=held(Several(OneOf((Keyframe,)), 0, _MOST_KEYFRAMES), "in the order of their times"),
    )

    def __post_init__(self) -> None:
        settle(self)
        if any(one.at >= other.at for one, other in pairwise(self.keyframes)):
            raise misfit(
                "the keyframes of a region are not in the order of their times: sort them, each time once"
            )
        if isinstance(self.shape, Whole) and any(
            (one.position, one.size, one.rotation) != (None, None, None) for one in self.keyframes
        ):
            raise misfit("a keyframe moves the whole frame: draw a box where a part of it is meant")


@dataclass(frozen=True)
class MaskTrack:
    """Where and when a clip is edited: regions in order, then steadied over time, grown and feathered."""

    mask_track: int = field(metadata=held(Choice((VERSION,)), "version of this form"))
    units: Units = field(
        metadata=held(
            Choice(("fractions", "pixels")),
            "of places and lengths: fractions of the frame (lengths: of its shorter side), or pixels of the source",
        )
    )
    times: Times = field(
        metadata=held(Choice(("seconds", "frames")), "of the source clip, counted from its first frame")
    )
    regions: tuple[Region, ...] = field(
        metadata=held(Several(OneOf((Region,)), 0, _MOST_REGIONS), "in the order they are drawn")
    )
    smooth_frames: int = field(
        default=0,
        metadata=held(
            Number(0, MOST_SMOOTH_FRAMES, is_count=True), "over so many frames each way the mask is averaged"
        ),
    )
    grow: float = field(
        default=0.0, metadata=held(Number(-_FAR, _FAR), "widens the mask, or narrows it below 0")
    )
    feather: float = field(default=0.0, metadata=held(_LENGTH, "softens its edges so far each way"))

    def __post_init__(self) -> None:
        settle(self)
