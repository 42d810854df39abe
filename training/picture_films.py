"""The films that the demo's picture weights learn from: a scene's first frame and its edit, and the way between them.

Encoded once, in shards that a killed run keeps.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from reelpatch.edits.reasoning.settings import PLAIN_FRAMES, REASONING_FRAMES
from reelpatch.headless.demo import scenes
from training import run, whole_clip
from training.latents import Statistics

log = logging.getLogger("reelpatch.training")

FIRST_SEED, NUM_SCENES, SHARD = 40_000_000, 5120, 256
NUM_FILMS = 1024  # of the scenes, the first, have the way too
# How many scenes a run begins with, and after how many steps it learns from another shard of them.
FIRST_SCENES, STEPS_PER_SHARD = 1536, 250
WAY = REASONING_FRAMES // 4 - 1  # latent frames between the picture and its edit
NUM_GRAYS = (
    12  # scenes that the gray far behind a picture is measured on, which says next to nothing of the picture
)
_FILMS_AT_ONCE = 16


def scenes_at(step: int) -> int:
    """How many of the scenes a step draws from: they are encoded as they are needed, so that training begins soon."""
    return min(NUM_SCENES, FIRST_SCENES + SHARD * (step // STEPS_PER_SHARD))


@dataclass(frozen=True)
class Films:
    """Encoded films, normalised, float16.

    Shapes: pair [N, 16, 2, 8, 8], the picture and its edit; still [NUM_FILMS, 16, 8, 8], the picture as it goes on; gray [N, 16, 8, 8],
        the frame of the condition behind the picture; later_grays [1, 16, 6, 8, 8], those of a film behind that.
    """

    pair: Tensor
    still: Tensor
    gray: Tensor
    later_grays: Tensor
    wordings: list[list[str]]

    def pairs(self, rows: Tensor, *, dropped: Tensor) -> tuple[Tensor, Tensor]:
        """Latents and what the condition shows of pairs, [B, 16, 2, 8, 8] each; where `dropped`, of what was a longer film."""
        gray = torch.where(dropped.view(-1, 1, 1, 1), self.later_grays[:, :, -1], self.gray[rows])
        pair = self.pair[rows].float()
        return pair, torch.stack([pair[:, :, 0], gray.float()], dim=2)

    def films(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The same of films whose frames go over from the picture to the edit, [B, 16, 8, 8, 8] each."""
        first, last = self.pair[rows].float().split(1, dim=2)
        shares = torch.arange(1, WAY + 1).view(-1, 1, 1) / (WAY + 1)
        way = torch.lerp(self.still[rows].float()[:, :, None], last, shares)
        grays = self.later_grays.float().expand(len(rows), -1, -1, -1, -1)
        condition = [first, self.gray[rows].float()[:, :, None], grays]
        return torch.cat([first, way, last], dim=2), torch.cat(condition, dim=2)


def example(seed: int) -> scenes.Example:
    """The scene of a seed with its edit, on all of the picture."""
    return scenes.example(seed, mask_kind="none")


class FilmFolder:
    """The films of `first_seed` onwards, in `folder`, encoded by `vae` as they are asked for, going on where an earlier run stopped."""

    def __init__(self, vae: AutoencoderKLWan, folder: Path, first_seed: int = FIRST_SEED) -> None:
        self._vae, self._folder, self._first_seed = vae, folder, first_seed
        self._films: Films | None = None

    @torch.no_grad()
    def first(self, count: int) -> Films:
        """The films of the first `count` scenes, whole shards."""
        if self._films is None or len(self._films.wordings) < count:
            self._films = self._read(count)
        return self._films

    def _read(self, count: int) -> Films:
        parts = []
        for shard in range(count // SHARD):
            path = self._folder / "films" / f"{shard:04d}.pt"
            if not path.exists():
                has_stills = (shard + 1) * SHARD <= NUM_FILMS
                first = self._first_seed + shard * SHARD
                run.save_atomically(_encode_shard(self._vae, first, has_stills=has_stills), path)
                log.info("encoded %d of %d scenes", (shard + 1) * SHARD, NUM_SCENES)
            parts.append(torch.load(path, weights_only=True))
        tensors = {
            name: torch.cat([part[name] for part in parts if name in part])
            for name in ("pair", "still", "gray")
        }
        wordings = [words for part in parts for words in part["wordings"]]
        return Films(**tensors, later_grays=self._grays(), wordings=wordings)

    def _grays(self) -> Tensor:
        path = self._folder / "grays.pt"
        if not path.exists():
            films = [
                _encode(self._vae, _film(one[None], 0.5, REASONING_FRAMES))
                for one in _pictures(FIRST_SEED, NUM_GRAYS)[0]
            ]
            run.save_atomically(torch.cat(films).float().mean(0, keepdim=True)[:, :, 2:].half(), path)
        return torch.load(path, weights_only=True)


def _encode_shard(
    vae: AutoencoderKLWan, first: int, *, has_stills: bool
) -> dict[str, Tensor | list[list[str]]]:
    before, after = _pictures(first, SHARD)

    def encoded(later: scenes.Frames | float) -> Tensor:
        parts = [
            _encode(vae, _film(before[at], later if isinstance(later, float) else later[at], PLAIN_FRAMES))
            for at in (slice(row, row + _FILMS_AT_ONCE) for row in range(0, SHARD, _FILMS_AT_ONCE))
        ]
        return torch.cat(parts)

    stills = {"still": encoded(before)[:, :, 1]} if has_stills else {}
    return {
        **stills,
        "pair": encoded(after),
        "gray": encoded(0.5)[:, :, 1],
        "wordings": [list(example(first + number).wordings) for number in range(SHARD)],
    }


def _pictures(first: int, count: int) -> tuple[scenes.Frames, scenes.Frames]:
    """The pictures of scenes and their edits, [B, H, W, 3] each."""
    examples = [example(seed) for seed in range(first, first + count)]
    return np.stack([e.source[0] for e in examples]), np.stack([e.target[0] for e in examples])


def _film(pictures: scenes.Frames, later: scenes.Frames | float, frames: int) -> scenes.Frames:
    """Films [B, F, H, W, 3] of pictures [B, H, W, 3], with the same behind them in every frame."""
    films = np.repeat(pictures[:, None], frames, axis=1)
    films[:, 1:] = later if isinstance(later, float) else later[:, None]
    return films


def _encode(vae: AutoencoderKLWan, films: scenes.Frames) -> Tensor:
    """[B, F, H, W, 3] in [0, 1] to normalised latents, as the backbone reads them."""
    video = torch.from_numpy(films).permute(0, 4, 1, 2, 3) * 2 - 1
    mean, std = (torch.tensor(vae.config[name]).view(-1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
    with run.fast_arithmetic():
        return Statistics(mean, std).normalise(whole_clip.encode(vae, video).float()).half()
