"""The films that the demo's picture weights learn from: a scene's first frame and its edit, and the way between them.

Encoded once, in shards that a killed run keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from reelpatch.edits.reasoning.settings import PLAIN_FRAMES, REASONING_FRAMES
from reelpatch.headless.demo import scenes
from training import run, whole_clip
from training.further_scenes import edits_at
from training.latents import published
from training.shard_folder import JoinedShards, Shard, ShardFolder

FIRST_SEED, NUM_SCENES, SHARD = 40_000_000, 5120, 256
NUM_FILMS = 1024  # of the scenes, the first, have the way too
# How many scenes a run begins with, and after how many steps it learns from another shard of them.
FIRST_SCENES, STEPS_PER_SHARD = 1536, 250
WAY = REASONING_FRAMES // 4 - 1  # latent frames between the picture and its edit
NUM_GRAYS = (
    12  # scenes that the gray far behind a picture is measured on, which says next to nothing of the picture
)
TIMED_SEED = 45_000_000  # of the scenes of a training by time
ENOUGH_SHARDS = NUM_FILMS // SHARD  # to begin with


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
        shares = torch.arange(1, WAY + 1, device=first.device).view(-1, 1, 1) / (WAY + 1)
        way = torch.lerp(self.still[rows].float()[:, :, None], last, shares)
        grays = self.later_grays.float().expand(len(rows), -1, -1, -1, -1)
        condition = [first, self.gray[rows].float()[:, :, None], grays]
        return torch.cat([first, way, last], dim=2), torch.cat(condition, dim=2)


def example(seed: int) -> scenes.Example:
    """The scene of a seed with its edit, on all of the picture."""
    return scenes.example(seed, mask_kind="none")


def timed_example(seed: int) -> scenes.Example:
    """The same for a training by time: half of them four edits of one scene each, a quarter styles."""
    match seed // 4 % 4:
        case 0 | 1:
            return edits_at(seed // 4)[seed % 4]
        case 2:
            return scenes.example(seed, kind="style", mask_kind="none")
        case _:
            return example(seed)


class FilmFolder(JoinedShards[Films]):
    """The films of `first_seed` onwards, in `folder`; the VAE is asked for where some are to be encoded."""

    def __init__(
        self,
        vae: Callable[[], AutoencoderKLWan],
        folder: Path,
        first_seed: int = FIRST_SEED,
        scene: Callable[[int], scenes.Example] = example,
    ) -> None:
        def encoded(number: int) -> Shard:
            first, has_stills = first_seed + number * SHARD, (number + 1) * SHARD <= NUM_FILMS
            examples = [scene(seed) for seed in range(first, first + SHARD)]
            return _encode_shard(vae(), examples, has_stills=has_stills)

        super().__init__(ShardFolder(folder / "films", encoded), self._films, ENOUGH_SHARDS)
        self._vae, self._grays_path = vae, folder / "grays.pt"

    def first(self, count: int) -> Films:
        """The films of the first `count` scenes, whole shards."""
        self.make_grays()
        return super().first(count // SHARD)

    def ready(self) -> Films | None:
        """Those that are there, if there are a few, and the first ones among them, which have stills."""
        return super().ready() if self._grays_path.exists() and self.shards.has(0) else None

    def _films(self, parts: list[Shard]) -> Films:
        tensors = {
            name: torch.cat([part[name] for part in parts if name in part])
            for name in ("pair", "still", "gray")
        }
        wordings = [words for part in parts for words in part["wordings"]]
        grays = torch.load(self._grays_path, map_location=run.DEVICE, weights_only=True)
        return Films(**tensors, later_grays=grays, wordings=wordings)

    def make_grays(self) -> None:
        """The gray frames far behind a picture, where they were not measured yet."""
        if not self._grays_path.exists():
            films = [
                _encode(self._vae(), _film(one[None], 0.5, REASONING_FRAMES))
                for one in _pictures([example(FIRST_SEED + i) for i in range(NUM_GRAYS)])[0]
            ]
            grays = torch.cat(films).float().mean(0, keepdim=True)[:, :, 2:].half()
            run.save_atomically(grays, self._grays_path)


def _encode_shard(vae: AutoencoderKLWan, examples: Sequence[scenes.Example], *, has_stills: bool) -> Shard:
    before, after = _pictures(examples)

    def encoded(later: scenes.Frames | float) -> Tensor:
        parts = [
            _encode(vae, _film(before[at], later if isinstance(later, float) else later[at], PLAIN_FRAMES))
            for at in (
                slice(row, row + run.CLIPS_AT_ONCE) for row in range(0, len(before), run.CLIPS_AT_ONCE)
            )
        ]
        return torch.cat(parts)

    stills = {"still": encoded(before)[:, :, 1]} if has_stills else {}
    return {
        **stills,
        "pair": encoded(after),
        "gray": encoded(0.5)[:, :, 1],
        "wordings": [list(one.wordings) for one in examples],
    }


def _pictures(examples: Sequence[scenes.Example]) -> tuple[scenes.Frames, scenes.Frames]:
    """The pictures of scenes and their edits, [B, H, W, 3] each."""
    return np.stack([e.source[0] for e in examples]), np.stack([e.target[0] for e in examples])


def _film(pictures: scenes.Frames, later: scenes.Frames | float, frames: int) -> scenes.Frames:
    """Films [B, F, H, W, 3] of pictures [B, H, W, 3], with the same behind them in every frame."""
    films = np.repeat(pictures[:, None], frames, axis=1)
    films[:, 1:] = later if isinstance(later, float) else later[:, None]
    return films


@torch.no_grad()
def _encode(vae: AutoencoderKLWan, films: scenes.Frames) -> Tensor:
    """[B, F, H, W, 3] in [0, 1] to normalised latents, as the backbone reads them."""
    video = torch.from_numpy(films).permute(0, 4, 1, 2, 3) * 2 - 1
    with run.fast_arithmetic():
        latents = whole_clip.encode(vae, video.to(run.DEVICE)).float().cpu()
    return published(vae).normalise(latents).half()
