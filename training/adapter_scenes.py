"""The scenes that the demo's edit adapter is trained on, through the shipped VAE, in shards that a killed run keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.context_scenes import Asked, ContextExample, context_example, faded
from training import run, whole_clip
from training.further_scenes import edits_at
from training.latents import published
from training.shard_folder import JoinedShards, Shard, ShardFolder

FIRST_SEED, SHARD = 20_000_000, 256
TIMED_SEED = 25_000_000  # of the scenes of a training by time, which learns what was done least well
# What is asked in turn, by seed; the hard ones have more than their share.
TURNS: tuple[Asked, ...] = (
    *("plain", "plain", "reference", "plain", "ramp", "plain", "reference", "pointed"),
    *("plain", "plain", "reference", "plain", "ramp", "window", "reference", "plain"),
)
ENOUGH_SHARDS = 6  # to begin with
FADED_SHARE = 0.3  # of ramps go the other way


@dataclass(frozen=True)
class Scenes:
    """Encoded scenes: latents `[N, 16, 3, 8, 8]`, references `[N, 16, 1, 8, 8]` (normalised, float16), and their sentences.

    `is_still` says where frame 0 alone is an example of its own: nothing but the instruction, or a mask that edits it.
    """

    source: Tensor
    target: Tensor
    mask: Tensor
    reference: Tensor
    has_reference: Tensor
    is_still: Tensor
    wordings: Sequence[Sequence[str]]

    @cached_property
    def is_style(self) -> Tensor:
        """Which scenes are restyled, `[N]` bool."""
        asked = {text for style in scenes.STYLES for text in scenes.style_wordings(style)}
        return torch.tensor([words[0] in asked for words in self.wordings], device=run.DEVICE)


def scene_of(seed: int) -> ContextExample:
    """The training scene of a seed."""
    rng = np.random.default_rng((seed, 18))
    asked = TURNS[seed % len(TURNS)]
    if asked == "plain" and rng.random() < 0.25:
        # Two things, of which the sentence alone says which; the whole picture by a mask; a window of a long clip.
        draw = rng.random()
        if draw < 0.6:
            return context_example(seed, "plain", kind="recolour", num_things=2)
        asked = "whole" if draw < 0.8 else "continued"
    if asked == "reference" and rng.random() < 0.3:
        return context_example(seed, asked, kind="recolour", num_things=2)
    one = context_example(seed, asked)
    return faded(one) if asked == "ramp" and rng.random() < FADED_SHARE else one


def timed_scene_of(seed: int) -> ContextExample:
    """The same for a training by time: eight times four seeds in turn, three of them four edits of one scene each."""
    place = seed % 4
    match seed // 4 % 8:
        case 0 | 1 | 2:
            return ContextExample(edits_at(seed // 4)[place], "plain")
        case 3:
            return context_example(seed, "reference", kind="recolour", num_things=1 + place % 2)
        case 4:
            asked: tuple[Asked, ...] = ("ramp", "window", "pointed", "reference")
            return context_example(seed, asked[place])
        case 5:
            return context_example(seed, "plain", kind="style" if place < 2 else None)
        case 6:
            also: tuple[Asked, ...] = ("ramp", "whole", "continued", "window")
            return context_example(seed, also[place])
        case _:
            return scene_of(seed)


class Encoder:
    """The VAE that ships, and what it makes of black and of nothing."""

    def __init__(self, vae: AutoencoderKLWan) -> None:
        self._vae = vae.eval()
        self._statistics = published(vae)
        self._masks: dict[bytes, Tensor] = {}
        self._black = self._encode(
            [np.zeros((scenes.NUM_FRAMES, scenes.SIZE_PX, scenes.SIZE_PX, 3), np.float32)]
        )

    @torch.no_grad()
    def _encode(self, clips: Sequence[scenes.Frames]) -> Tensor:
        video = torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3) * 2 - 1
        with run.fast_arithmetic():
            parts = [
                whole_clip.encode(self._vae, part.to(run.DEVICE)).float().cpu()
                for part in video.split(run.CLIPS_AT_ONCE)
            ]
        return self._statistics.normalise(torch.cat(parts)).half()

    def _encode_masks(self, masks: Sequence[scenes.Frames]) -> Tensor:
        """As clips of three equal channels; those of moments and halves of the picture come again and again."""
        missing = {mask.tobytes(): mask for mask in masks if mask.tobytes() not in self._masks}
        if missing:
            self._masks |= dict(
                zip(missing, self._encode([_rgb(one) for one in missing.values()]), strict=True)
            )
        return torch.stack([self._masks[mask.tobytes()] for mask in masks])

    def shard(self, examples: Sequence[ContextExample]) -> Shard:
        """What `Scenes` holds, of `SHARD` examples."""
        masks = self._black.repeat(SHARD, 1, 1, 1, 1)
        masked = [i for i, one in enumerate(examples) if one.mask is not None]
        masks[masked] = self._encode_masks([examples[i].example.mask for i in masked])
        references = self._black[:, :, :1].repeat(SHARD, 1, 1, 1, 1)
        shown = [i for i, one in enumerate(examples) if one.reference is not None]
        references[shown] = self._encode(
            [one.reference[None] for one in examples if one.reference is not None]
        )
        still = [one.mask is None or bool(one.mask[0].max() > 0.99) for one in examples]
        return {
            "source": self._encode([one.source for one in examples]),
            "target": self._encode([one.example.target for one in examples]),
            "mask": masks,
            "reference": references,
            "has_reference": torch.tensor([one.reference is not None for one in examples]),
            "is_still": torch.tensor(still),
            "wordings": [list(one.example.wordings) for one in examples],
        }


def _rgb(mask: scenes.Frames) -> scenes.Frames:
    return np.repeat(mask[..., None], 3, axis=-1)


class SceneFolder(JoinedShards[Scenes]):
    """Shards of `SHARD` seeds, in a part of `folder`; `encoder` is asked for where one is to be made."""

    def __init__(
        self,
        folder: Path,
        encoder: Callable[[], Encoder],
        first_seed: int,
        scene: Callable[[int], ContextExample] = scene_of,
    ) -> None:
        def encoded(number: int) -> Shard:
            first = first_seed + number * SHARD
            return encoder().shard([scene(seed) for seed in range(first, first + SHARD)])

        super().__init__(ShardFolder(folder / "adapter_scenes", encoded), _joined, ENOUGH_SHARDS)


def _joined(parts: list[Shard]) -> Scenes:
    names = ("source", "target", "mask", "reference", "has_reference", "is_still")
    tensors = {name: torch.cat([part[name] for part in parts]) for name in names}
    return Scenes(**tensors, wordings=[words for part in parts for words in part["wordings"]])
