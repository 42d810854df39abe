"""Parameters and FLOPs of the Wan2.1 VAE, counted from its base width.

It encodes the first frame alone and then four at a time, and decodes one latent frame at a time; its convolutions
remember two frames. In front of the first frame they remember zeros, and products with those are not counted, as
ComfyUI does not compute them (diffusers does: 1 % more for 73 frames). Source: Wan2.1, `wan/modules/vae.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from reelpatch.families.wan.family import WAN

CHANNELS, FRAMES_PER_LATENT, CELL_PX = (
    WAN.lattice.channels,
    WAN.lattice.frames_per_latent,
    WAN.lattice.cell_px,
)

CUBE, SQUARE = 27, 9  # taps of a 3x3x3 and a 3x3 convolution
TIME_TAPS = 3
_WIDTHS = (1, 2, 4, 4)  # of the encoder's stages, in base widths; the decoder runs them backwards
_HALVES_TIME = (False, True, True)
_STAGE_CELLS_PX = (1, 2, 4, 8)  # pixels a side that a cell of a stage stands for


@dataclass(frozen=True)
class Layer:
    """A convolution with bias, or RMS norm (no taps): how many numbers, and where it runs.

    `frames` are the (first chunk's, later chunks') output frames; 0 means that the chunk goes around it.
    """

    taps: int
    inputs: int
    outputs: int
    cell_px: int
    frames: tuple[int, int]

    @property
    def parameters(self) -> int:
        return self.outputs * (self.taps * self.inputs + 1) if self.taps else self.outputs

    def flops(self, pixels: int, chunk: int) -> int:
        """In the first chunk (0) or a later one (1), of pictures of that many pixels."""
        cells = pixels // self.cell_px**2
        taps = SQUARE if self.taps == CUBE and chunk == 0 else self.taps
        return 2 * taps * self.inputs * self.outputs * cells * self.frames[chunk]


@dataclass(frozen=True)
class VaeSizes:
    """A VAE of the Wan2.1 kind. Units: pictures in pixels (height, width), lengths in frames of pixels."""

    base_dim: int = 96
    latent_channels: int = CHANNELS

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in (*self.encoder(), *self.decoder()))

    def encode_flops(self, frames: int, size: tuple[int, int]) -> int:
        """Of one clip of 4n + 1 frames, encoded once."""
        return self._flops(tuple(self.encoder()), frames, size)

    def decode_flops(self, frames: int, size: tuple[int, int]) -> int:
        """Of the latents of a clip of 4n + 1 frames."""
        return self._flops(tuple(self.decoder()), frames, size)

    def encoder(self) -> Iterator[Layer]:
        """Its layers, in the order they run."""
        widths = [self.base_dim * width for width in _WIDTHS]
        frames = (1, FRAMES_PER_LATENT)
        yield Layer(CUBE, 3, widths[0], 1, frames)
        inputs = widths[0]
        for stage, width in enumerate(widths):
            cell = _STAGE_CELLS_PX[stage]
            yield from _residual(inputs, width, cell, frames)
            yield from _residual(width, width, cell, frames)
            inputs = width
            if stage < len(_HALVES_TIME):
                yield Layer(SQUARE, width, width, 2 * cell, frames)
                if _HALVES_TIME[stage]:
                    frames = (1, frames[1] // 2)
                    yield Layer(TIME_TAPS, width, width, 2 * cell, (0, frames[1]))
        yield from _middle(widths[-1])
        moments = 2 * self.latent_channels
        yield from _head(widths[-1], moments, CELL_PX, (1, 1))
        yield Layer(1, moments, moments, CELL_PX, (1, 1))

    def decoder(self) -> Iterator[Layer]:
        """Its layers, in the order they run."""
        widths = [self.base_dim * width for width in reversed(_WIDTHS)]
        frames = (1, 1)
        channels = self.latent_channels
        yield Layer(1, channels, channels, CELL_PX, frames)
        yield Layer(CUBE, channels, widths[0], CELL_PX, frames)
        yield from _middle(widths[0])
        inputs = widths[0]
        for stage, width in enumerate(widths):
            cell = _STAGE_CELLS_PX[-1 - stage]
            yield from _residual(inputs, width, cell, frames)
            yield from _residual(width, width, cell, frames)
            yield from _residual(width, width, cell, frames)
            if stage < len(_HALVES_TIME):
                if _HALVES_TIME[-1 - stage]:
                    yield Layer(TIME_TAPS, width, 2 * width, cell, (0, frames[1]))
                    frames = (1, 2 * frames[1])
                inputs = width // 2
                yield Layer(SQUARE, width, inputs, cell // 2, frames)
        yield from _head(widths[-1], 3, 1, frames)

    def _flops(self, layers: tuple[Layer, ...], frames: int, size: tuple[int, int]) -> int:
        pixels = size[0] * size[1]
        cells = pixels // CELL_PX**2
        attention = 4 * cells * cells * self.base_dim * _WIDTHS[-1]  # of each latent frame by itself
        later = (frames - 1) // FRAMES_PER_LATENT
        first_chunk, later_chunk = (
            attention + sum(layer.flops(pixels, chunk) for layer in layers) for chunk in (0, 1)
        )
        return first_chunk + later * later_chunk


def _residual(inputs: int, outputs: int, cell_px: int, frames: tuple[int, int]) -> Iterator[Layer]:
    yield Layer(0, 0, inputs, cell_px, frames)
    yield Layer(CUBE, inputs, outputs, cell_px, frames)
    yield Layer(0, 0, outputs, cell_px, frames)
    yield Layer(CUBE, outputs, outputs, cell_px, frames)
    if inputs != outputs:
        yield Layer(1, inputs, outputs, cell_px, frames)


def _middle(width: int) -> Iterator[Layer]:
    frames = (1, 1)
    yield from _residual(width, width, CELL_PX, frames)
    yield Layer(0, 0, width, CELL_PX, frames)
    yield Layer(1, width, 3 * width, CELL_PX, frames)
    yield Layer(1, width, width, CELL_PX, frames)
    yield from _residual(width, width, CELL_PX, frames)


def _head(width: int, outputs: int, cell_px: int, frames: tuple[int, int]) -> Iterator[Layer]:
    yield Layer(0, 0, width, cell_px, frames)
    yield Layer(CUBE, width, outputs, cell_px, frames)


WAN_VAE = VaeSizes()
