"""From frames and pixels to latents and tokens, in whole numbers.

The factors are those of the Wan2.1 VAE and of the transformer's patch (1, 2, 2).
"""

from dataclasses import dataclass
from math import ceil

from reelpatch.errors import BadInput

LATENT_CHANNELS = 16
FRAMES_PER_LATENT = 4  # the first frame has a latent frame of its own
LATENT_CELL_PX = 8
PATCH_CELLS = 2  # a token is one latent frame x 2 x 2 latent cells
SIZE_MULTIPLE = LATENT_CELL_PX * PATCH_CELLS


@dataclass(frozen=True)
class TokenGrid:
    """How the tokens of a video lie: frame by frame, row by row, column fastest."""

    frames: int
    rows: int
    columns: int

    @classmethod
    def of_latents(cls, shape: tuple[int, int, int]) -> "TokenGrid":
        """The grid over latents of (frames, rows, columns); half a patch at an edge counts as one, as hosts pad."""
        frames, rows, columns = shape
        return cls(frames, ceil(rows / PATCH_CELLS), ceil(columns / PATCH_CELLS))

    @property
    def tokens(self) -> int:
        """How many there are in all."""
        return self.frames * self.rows * self.columns


def latent_frames(frames: int) -> int:
    """The number of latent frames a clip of `frames` is encoded to.

    Raises: BadInput unless frames = 4n + 1; the message offers the legal lengths below and above.
    """
    if frames < 1:
        raise BadInput(f"a clip of {frames} frames cannot be edited: give one with at least 1 frame.")
    steps, extra = divmod(frames - 1, FRAMES_PER_LATENT)
    if extra:
        below = frames - extra
        raise BadInput(
            f"a length of {frames} frames does not fit the model, which takes 1, 5, 9, ... (4n + 1) frames: "
            f"use {below} or {below + FRAMES_PER_LATENT}, or let the clip be fitted.",
            option="--fit",
        )
    return steps + 1


def nearest_frames(frames: int) -> int:
    """The legal length (4n + 1) nearest to `frames`; halfway the longer one, which loses nothing."""
    return max(1, _nearest_multiple(frames - 1, FRAMES_PER_LATENT) + 1)


def nearest_size(height: int, width: int) -> tuple[int, int]:
    """The legal (height, width) in pixels nearest to the one given; halfway the larger one."""
    return _nearest_side(height), _nearest_side(width)


def latent_shape(frames: int, size: tuple[int, int], *, references: int = 0) -> tuple[int, int, int]:
    """The (frames, rows, columns) of the latents of a clip, with one frame in front for each reference.

    Units: `size` is (height, width) in pixels.
    Raises: BadInput for a length or size that is not legal; the message offers the nearest.
    """
    height, width = size
    legal = nearest_size(height, width)
    if size != legal:
        raise BadInput(
            f"the size {width}x{height} does not fit the model, which takes multiples of {SIZE_MULTIPLE} pixels: "
            f"use {legal[1]}x{legal[0]}, or let the clip be fitted.",
            option="--fit",
        )
    return references + latent_frames(frames), height // LATENT_CELL_PX, width // LATENT_CELL_PX


def mask_frame_picks(frames: int) -> tuple[int, ...]:
    """The pixel frame whose mask stands for each latent frame, as `nearest-exact` resampling picks them.

    Raises: BadInput for a length that is not legal.
    Source: Wan-Video VACE, `vace_encode_masks`.
    """
    count = latent_frames(frames)
    # The frame under the middle of each of `count` equal parts; whole numbers, so no rounding can move it.
    return tuple((2 * part + 1) * frames // (2 * count) for part in range(count))


def _nearest_side(pixels: int) -> int:
    return max(SIZE_MULTIPLE, _nearest_multiple(pixels, SIZE_MULTIPLE))


def _nearest_multiple(number: int, factor: int) -> int:
    return (number + factor // 2) // factor * factor
