"""Parameters, FLOPs and memory of HunyuanVideo-1.5's VAE, counted from its widths.

It works on all frames of a clip at once, on tiles of pictures that are larger than one. Each of four stages halves a side, the
last two the frames as well, but for the first. Source: diffusers' AutoencoderKLHunyuanVideo15; the counts equal those of
`FlopCounterMode` on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from reelpatch.families.counts import TILE_PX

CUBE = 27  # taps of a 3x3x3 convolution
_NUM_RESNETS = {"encoder": 2, "decoder": 3}  # of a stage
_HALVINGS, _IN_TIME = 4, 2  # of a side, and how many of them halve the frames too
_FRAMES_PER_LATENT = 2**_IN_TIME
# Numbers alive at once for each pixel of each frame, per channel of the narrowest stage.
_ENCODE_LIVE, _DECODE_LIVE = 6.0, 6.0


@dataclass(frozen=True)
class Layer:
    """A convolution with bias, or RMS norm (no taps), at a stage that has been halved so often: side, and frames."""

    taps: int
    inputs: int
    outputs: int
    halved: int
    halved_time: int = 0

    @property
    def parameters(self) -> int:
        return self.outputs * (self.taps * self.inputs + 1) if self.taps else self.outputs


@dataclass(frozen=True)
class HunyuanVaeSizes:
    """A VAE. Units: pictures in pixels (height, width), lengths in frames of pixels."""

    widths: tuple[int, ...] = (128, 256, 512, 1024, 1024)
    latent_channels: int = 32
    is_always_tiled: bool = True

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in (*self.encoder(), *self.decoder()))

    def live_numbers(self, frames: int, size: tuple[int, int]) -> tuple[float, float]:
        """As `VaeCounts`: those of one tile, all frames of it."""
        pixels = frames * min(size[0], TILE_PX) * min(size[1], TILE_PX) * self.widths[0]
        return _ENCODE_LIVE * pixels, _DECODE_LIVE * pixels

    def encode_flops(self, frames: int, size: tuple[int, int]) -> int:
        """Of one clip of 4n + 1 frames, encoded once."""
        return self._flops(tuple(self.encoder()), frames, size)

    def decode_flops(self, frames: int, size: tuple[int, int]) -> int:
        """Of the latents of a clip of 4n + 1 frames."""
        return self._flops(tuple(self.decoder()), frames, size)

    def encoder(self) -> Iterator[Layer]:
        """Its layers, in the order they run."""
        widths = self.widths
        yield Layer(CUBE, 3, widths[0], 0)
        for stage, width in enumerate(widths):
            halved_time = max(0, stage - (_HALVINGS - _IN_TIME))
            for _ in range(_NUM_RESNETS["encoder"]):
                yield from _resnet(width, stage, halved_time)
            if stage < _HALVINGS:
                factor = 8 if stage >= _HALVINGS - _IN_TIME else 4
                yield Layer(CUBE, width, widths[stage + 1] // factor, stage, halved_time)
        yield from _middle(widths[-1])
        yield from _head(widths[-1], 2 * self.latent_channels, _HALVINGS, _IN_TIME)

    def decoder(self) -> Iterator[Layer]:
        """Its layers, in the order they run."""
        widths = self.widths[::-1]
        yield Layer(CUBE, self.latent_channels, widths[0], _HALVINGS, _IN_TIME)
        yield from _middle(widths[0])
        for stage, width in enumerate(widths):
            halved_time = max(0, _IN_TIME - stage)
            for _ in range(_NUM_RESNETS["decoder"]):
                yield from _resnet(width, _HALVINGS - stage, halved_time)
            if stage < _HALVINGS:
                factor = 8 if stage < _IN_TIME else 4
                yield Layer(CUBE, width, widths[stage + 1] * factor, _HALVINGS - stage, halved_time)
        yield from _head(widths[-1], 3, 0, 0)

    def _flops(self, layers: tuple[Layer, ...], frames: int, size: tuple[int, int]) -> int:
        pixels, in_tile = size[0] * size[1], min(size[0], TILE_PX) * min(size[1], TILE_PX)
        cells, seen = (frames_of(frames, _IN_TIME) * (area >> (2 * _HALVINGS)) for area in (pixels, in_tile))
        attention = 4 * cells * seen * self.widths[-1]
        return attention + sum(
            2
            * layer.taps
            * layer.inputs
            * layer.outputs
            * frames_of(frames, layer.halved_time)
            * (pixels >> (2 * layer.halved))
            for layer in layers
        )


def frames_of(frames: int, halved: int) -> int:
    """How many there are after so many halvings, which leave the first alone."""
    return (frames - 1) // 2**halved + 1


def _resnet(width: int, halved: int, halved_time: int) -> Iterator[Layer]:
    for _ in range(2):
        yield Layer(0, 0, width, halved, halved_time)
        yield Layer(CUBE, width, width, halved, halved_time)


def _middle(width: int) -> Iterator[Layer]:
    place = _HALVINGS, _IN_TIME
    yield from _resnet(width, *place)
    yield Layer(0, 0, width, *place)
    for _ in range(4):
        yield Layer(1, width, width, *place)
    yield from _resnet(width, *place)


def _head(width: int, outputs: int, halved: int, halved_time: int) -> Iterator[Layer]:
    yield Layer(0, 0, width, halved, halved_time)
    yield Layer(CUBE, width, outputs, halved, halved_time)


HUNYUAN_VAE = HunyuanVaeSizes()
