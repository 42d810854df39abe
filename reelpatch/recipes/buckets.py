"""The sizes that a method was made for: at each level of detail one for each aspect, the nearest of which a clip is brought to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Size = tuple[int, int]


@dataclass(frozen=True)
class SizeBuckets:
    """Sizes (height, width) in pixels by level of detail, and the `level` that clips take, and single pictures."""

    levels: Mapping[str, tuple[Size, ...]] = field(hash=False)
    level: str
    picture_level: str

    def nearest(self, height: int, width: int, *, level: str = "", is_picture: bool = False) -> Size:
        """The size whose aspect, width by height, is nearest to that of a clip; of equally near ones the first.

        Source: xgen-universe/Capybara, `get_bucket_from_resolution_and_actual_ratio`.
        """
        sizes = self.levels[level or (self.picture_level if is_picture else self.level)]
        return min(sizes, key=lambda size: abs(width / height - size[1] / size[0]))


def _turned(*landscape: Size) -> tuple[Size, ...]:
    """With those for upright clips, which are the same the other way round."""
    upright = [(width, height) for height, width in reversed(landscape) if height != width]
    return (*landscape, *upright)


CAPYBARA_BUCKETS = SizeBuckets(
    {
        "480p": _turned((480, 848), (544, 720), (640, 640)),
        "720p": _turned((720, 1280), (832, 1104), (960, 960)),
        "1024": _turned((768, 1360), (880, 1184), (1024, 1024)),
        "1080p": _turned((1088, 1920), (1248, 1664), (1440, 1440)),
    },
    level="480p",
    picture_level="720p",
)
