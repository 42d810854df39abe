"""From frames and pixels to latents and tokens, in whole numbers."""

from dataclasses import dataclass
from math import ceil

from reelpatch.errors import BadInput

LatentShape = tuple[int, int, int, int]
"""(channels, frames, rows, columns) of latents."""


@dataclass(frozen=True)
class TokenGrid:
    """How the tokens of a video lie: frame by frame, row by row, column fastest."""

    frames: int
    rows: int
    columns: int

    @property
    def tokens(self) -> int:
        """How many there are in all."""
        return self.frames * self.rows * self.columns


@dataclass(frozen=True)
class Lattice:
    """What a family's VAE and patch make of a clip: latents of `channels`, each for a cell of pixels, and tokens of cells.

    A latent frame stands for `frames_per_latent` frames, but the first for one; a cell is `cell_px` pixels a side, and a
    token is one latent frame x `patch_cells` x `patch_cells` cells.
    """

    channels: int
    frames_per_latent: int
    cell_px: int
    patch_cells: int

    @property
    def size_multiple(self) -> int:
        """What both sides of a legal size are multiples of, in pixels."""
        return self.cell_px * self.patch_cells

    @property
    def legal_lengths(self) -> str:
        """The lengths that are legal, as a sentence names them: `4n + 1`."""
        return f"{self.frames_per_latent}n + 1"

    def grid(self, frames: int, rows: int, columns: int) -> TokenGrid:
        """The grid over latents of that many; half a patch at an edge counts as one, as hosts pad."""
        return TokenGrid(frames, ceil(rows / self.patch_cells), ceil(columns / self.patch_cells))

    def latent_frames(self, frames: int) -> int:
        """The number of latent frames a clip of `frames` is encoded to.

        Raises: BadInput for a length that is not legal; the message offers the legal ones below and above.
        """
        if frames < 1:
            raise BadInput(
                f"a clip of {frames} frames cannot be edited: give one with at least 1 frame.",
                setting="frames",
            )
        step = self.frames_per_latent
        steps, extra = divmod(frames - 1, step)
        if extra:
            below = frames - extra
            raise BadInput(
                f"a length of {frames} frames does not fit the model, which takes 1, {step + 1}, {2 * step + 1}, ... "
                f"({self.legal_lengths}) frames: use {below} or {below + step}, or let the clip be fitted.",
                setting="fit",
            )
        return steps + 1

    def nearest_frames(self, frames: int) -> int:
        """The legal length nearest to `frames`; halfway the longer one, which loses nothing."""
        return max(1, _nearest_multiple(frames - 1, self.frames_per_latent) + 1)

    def frames_at_least(self, frames: int) -> int:
        """The legal length that is no shorter."""
        return -(-(frames - 1) // self.frames_per_latent) * self.frames_per_latent + 1

    def nearest_size(self, height: int, width: int) -> tuple[int, int]:
        """The legal (height, width) in pixels nearest to the one given; halfway the larger one."""
        return self._nearest_side(height), self._nearest_side(width)

    def half_size(self, height: int, width: int) -> tuple[int, int]:
        """The legal (height, width) in pixels nearest to half of the one given."""
        return self.nearest_size(height // 2, width // 2)

    def side_at_least(self, pixels: int) -> int:
        """The legal side that is no shorter."""
        return max(self.size_multiple, -(-pixels // self.size_multiple) * self.size_multiple)

    def latent_shape(self, frames: int, size: tuple[int, int], *, references: int = 0) -> LatentShape:
        """The latents of a clip, with one frame in front for each reference.

        Units: `size` is (height, width) in pixels.
        Raises: BadInput for a length or size that is not legal; the message offers the nearest.
        """
        height, width = size
        legal = self.nearest_size(height, width)
        if size != legal:
            raise BadInput(
                f"the size {width}x{height} does not fit the model, which takes multiples of {self.size_multiple} pixels: "
                f"use {legal[1]}x{legal[0]}, or let the clip be fitted.",
                setting="fit",
            )
        own = self.latent_frames(frames)
        return self.channels, references + own, height // self.cell_px, width // self.cell_px

    def mask_frame_picks(self, frames: int) -> tuple[int, ...]:
        """The pixel frame whose mask stands for each latent frame, as `nearest-exact` resampling picks them.

        Raises: BadInput for a length that is not legal.
        Source: Wan-Video VACE, `vace_encode_masks`.
        """
        count = self.latent_frames(frames)
        # The frame under the middle of each of `count` equal parts; whole numbers, so no rounding can move it.
        return tuple((2 * part + 1) * frames // (2 * count) for part in range(count))

    def _nearest_side(self, pixels: int) -> int:
        return max(self.size_multiple, _nearest_multiple(pixels, self.size_multiple))


def _nearest_multiple(number: int, factor: int) -> int:
    return (number + factor // 2) // factor * factor
