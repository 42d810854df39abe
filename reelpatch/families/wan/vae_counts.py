"""Parameters and FLOPs of Wan's VAEs, that of Wan2.1 and that of Wan2.2 with 48 channels, counted from their widths.

It encodes the first frame alone and then four at a time, and decodes one latent frame at a time; its convolutions
remember two frames. In front of the first frame they remember zeros, and products with those are not counted, as
ComfyUI does not compute them (diffusers does: 1 % more for 73 frames). The VAE of Wan2.2 works on pixels in patches of 2x2,
and its decoder keeps its width where it doubles a picture. Source: Wan2.1, `wan/modules/vae.py`; Wan2.2, `vae2_2.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from reelpatch.families.wan.family import WAN, WAN_5B_FAMILY

CHANNELS, FRAMES_PER_LATENT = WAN.lattice.channels, WAN.lattice.frames_per_latent

CUBE, SQUARE = 27, 9  # taps of a 3x3x3 and a 3x3 convolution
TIME_TAPS = 3
_WIDTHS = (1, 2, 4, 4)  # of the encoder's stages, in base widths; the decoder runs them backwards
_HALVES_TIME = (False, True, True)
_STAGE_CELLS = (1, 2, 4, 8)  # patches of pixels a side that a cell of a stage stands for
# Numbers alive at once for each pixel, per channel of base width, whatever the length.
_ENCODE_LIVE, _DECODE_LIVE = 36.7, 50.7
# The VAE of Wan2.2 holds as much at its peak, encoding and decoding, as one of Wan2.1 of this many times its widths.
_LIVE_WIDTHS = (0.3056, 0.4144)


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
    is_always_tiled: bool = False

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in (*self.encoder(), *self.decoder()))

    @property
    def widths(self) -> tuple[int, int]:
        """The base widths of encoder and decoder."""
        return self.base_dim, self.base_dim

    @property
    def live_widths(self) -> tuple[float, float]:
        """The base widths of a VAE of Wan2.1 that holds as much, encoding and decoding."""
        return self.widths

    def live_numbers(self, frames: int, size: tuple[int, int]) -> tuple[float, float]:  # noqa: ARG002 -- whatever the length
        """As `VaeCounts`: those of one chunk of four frames."""
        pixels = size[0] * size[1]
        encode, decode = self.live_widths
        return pixels * _ENCODE_LIVE * encode, pixels * _DECODE_LIVE * decode

    @property
    def patch_px(self) -> int:
        """How many pixels a side its first layer sees as one."""
        return 1

    @property
    def cell_px(self) -> int:
        """How many pixels a side a cell of latents stands for."""
        return self.patch_px * _STAGE_CELLS[-1]

    def encode_flops(self, frames: int, size: tuple[int, int]) -> int:
        """Of one clip of 4n + 1 frames, encoded once."""
        return self._flops(tuple(self.encoder()), self.widths[0], frames, size)

    def decode_flops(self, frames: int, size: tuple[int, int]) -> int:
        """Of the latents of a clip of 4n + 1 frames."""
        return self._flops(tuple(self.decoder()), self.widths[1], frames, size)

    def encoder(self) -> Iterator[Layer]:
        """Its layers, in the order they run."""
        widths = [self.widths[0] * width for width in _WIDTHS]
        frames = (1, FRAMES_PER_LATENT)
        yield Layer(CUBE, 3 * self.patch_px**2, widths[0], self.patch_px, frames)
        inputs = widths[0]
        for stage, width in enumerate(widths):
            cell = self.patch_px * _STAGE_CELLS[stage]
            yield from _residual(inputs, width, cell, frames)
            yield from _residual(width, width, cell, frames)
            inputs = width
            if stage < len(_HALVES_TIME):
                yield Layer(SQUARE, width, width, 2 * cell, frames)
                if _HALVES_TIME[stage]:
                    frames = (1, frames[1] // 2)
                    yield Layer(TIME_TAPS, width, width, 2 * cell, (0, frames[1]))
        yield from _middle(widths[-1], self.cell_px)
        moments = 2 * self.latent_channels
        yield from _head(widths[-1], moments, self.cell_px, (1, 1))
        yield Layer(1, moments, moments, self.cell_px, (1, 1))

    def decoder(self) -> Iterator[Layer]:
        """Its layers, in the order they run."""
        widths = [self.widths[1] * width for width in reversed(_WIDTHS)]
        frames = (1, 1)
        channels = self.latent_channels
        yield Layer(1, channels, channels, self.cell_px, frames)
        yield Layer(CUBE, channels, widths[0], self.cell_px, frames)
        yield from _middle(widths[0], self.cell_px)
        inputs = widths[0]
        for stage, width in enumerate(widths):
            cell = self.patch_px * _STAGE_CELLS[-1 - stage]
            yield from _residual(inputs, width, cell, frames)
            yield from _residual(width, width, cell, frames)
            yield from _residual(width, width, cell, frames)
            if stage < len(_HALVES_TIME):
                if _HALVES_TIME[-1 - stage]:
                    yield Layer(TIME_TAPS, width, 2 * width, cell, (0, frames[1]))
                    frames = (1, 2 * frames[1])
                inputs = self._upsampled(width)
                yield Layer(SQUARE, width, inputs, cell // 2, frames)
        yield from _head(widths[-1], 3 * self.patch_px**2, self.patch_px, frames)

    def _upsampled(self, width: int) -> int:
        return width // 2

    def _flops(self, layers: tuple[Layer, ...], base_dim: int, frames: int, size: tuple[int, int]) -> int:
        pixels = size[0] * size[1]
        cells = pixels // self.cell_px**2
        attention = 4 * cells * cells * base_dim * _WIDTHS[-1]  # of each latent frame by itself
        later = (frames - 1) // FRAMES_PER_LATENT
        first_chunk, later_chunk = (
            attention + sum(layer.flops(pixels, chunk) for layer in layers) for chunk in (0, 1)
        )
        return first_chunk + later * later_chunk


@dataclass(frozen=True)
class WideVaeSizes(VaeSizes):
    """A VAE of the Wan2.2 kind, with 48 channels; `base_dim` is the encoder's."""

    base_dim: int = 160
    latent_channels: int = WAN_5B_FAMILY.lattice.channels
    decoder_dim: int = 256

    @property
    def widths(self) -> tuple[int, int]:
        return self.base_dim, self.decoder_dim

    @property
    def live_widths(self) -> tuple[float, float]:
        encode, decode = _LIVE_WIDTHS
        return encode * self.base_dim, decode * self.decoder_dim

    @property
    def patch_px(self) -> int:
        return 2

    def _upsampled(self, width: int) -> int:
        return width


def _residual(inputs: int, outputs: int, cell_px: int, frames: tuple[int, int]) -> Iterator[Layer]:
    yield Layer(0, 0, inputs, cell_px, frames)
    yield Layer(CUBE, inputs, outputs, cell_px, frames)
    yield Layer(0, 0, outputs, cell_px, frames)
    yield Layer(CUBE, outputs, outputs, cell_px, frames)
    if inputs != outputs:
        yield Layer(1, inputs, outputs, cell_px, frames)


def _middle(width: int, cell_px: int) -> Iterator[Layer]:
    frames = (1, 1)
    yield from _residual(width, width, cell_px, frames)
    yield Layer(0, 0, width, cell_px, frames)
    yield Layer(1, width, 3 * width, cell_px, frames)
    yield Layer(1, width, width, cell_px, frames)
    yield from _residual(width, width, cell_px, frames)


def _head(width: int, outputs: int, cell_px: int, frames: tuple[int, int]) -> Iterator[Layer]:
    yield Layer(0, 0, width, cell_px, frames)
    yield Layer(CUBE, width, outputs, cell_px, frames)


WAN_VAE = VaeSizes()
WAN22_VAE = WideVaeSizes()
