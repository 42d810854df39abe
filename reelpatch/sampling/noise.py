"""The noise that sampling starts from, drawn on the CPU in fp32, so that a seed means the same on every machine."""

from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import torch
from torch import Tensor

from reelpatch.families.lattice import LatentShape
from reelpatch.sampling.solvers import NoiseSampler

_REFERENCE, _CLIP = 0, 1  # streams that share no number


@dataclass(frozen=True)
class FrameNoise:
    """The noise of a part of a long clip: every latent frame of the whole has its own, wherever parts begin.

    So parts that overlap start from the same noise where they do. `first` is the part's first latent frame, counted in
    the whole clip from 0; each `stream` has noise of its own.
    """

    seed: int
    first: int
    stream: int = 0

    def sampler(self, x: Tensor, *, references: int = 0) -> NoiseSampler:
        """What draws fresh noise, [B, C, T, h, w] like `x`, at every step of a run; the same in every part and row."""
        streams = count(self.stream + 1)

        def draw(_sigma: float, _sigma_next: float) -> Tensor:
            noise = replace(self, stream=next(streams))
            channels, frames, rows, columns = x.shape[-4:]
            drawn = noise.draw((channels, frames, rows, columns), references=references)
            return drawn.expand(*(x.shape[:-4] or (1,)), *drawn.shape).to(x)

        return draw

    def draw(self, shape: LatentShape, *, references: int = 0) -> Tensor:
        """Noise of that shape; the frames of references, which are in front, are the same in every part."""
        channels, frames, rows, columns = shape
        keys = [(_REFERENCE, number) for number in range(references)]
        keys += [(_CLIP, self.first + number) for number in range(frames - references)]
        drawn = [
            torch.randn(channels, rows, columns, generator=_generator(self.seed, self.stream, *key))
            for key in keys
        ]
        return torch.stack(drawn, dim=1)


def draw_noise(shape: LatentShape, seed: int | FrameNoise, *, references: int = 0) -> Tensor:
    """Noise of that shape, drawn in one go for a clip that is worked on whole."""
    if isinstance(seed, FrameNoise):
        return seed.draw(shape, references=references)
    return torch.randn(*shape, generator=torch.Generator("cpu").manual_seed(seed))


def noise_seed(seed: int | FrameNoise) -> int:
    """The number that noise added during a run starts from."""
    return seed.seed if isinstance(seed, FrameNoise) else seed


def _generator(*key: int) -> torch.Generator:
    # Neighbouring seeds of one generator are not independent; numpy's mixing of entropy makes them so.
    mixed = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator("cpu").manual_seed(int(mixed))
