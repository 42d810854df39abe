"""Stage 2: the training scenes through the finished VAE, once, in shards of 256 that a killed run keeps."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from reelpatch.edits.vace.context import EDITED_ABOVE, fold_mask
from reelpatch.headless.demo import scenes
from training import run, whole_clip

log = logging.getLogger("reelpatch.training")

SHARD = 256
FIRST_SEED = 10_000_000
NUM_AS_JUDGED = (
    6144  # scenes as they are drawn for the judge too; what comes after them is what is hard to learn
)


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each latent channel over the training clips, `[16, 1, 1, 1]`."""

    mean: Tensor
    std: Tensor

    def normalise(self, latents: Tensor) -> Tensor:
        return (latents - self.mean) / self.std


def published(vae: AutoencoderKLWan) -> Statistics:
    """Those that are wired into code that runs the VAE, and that hold for a finished one."""
    return Statistics(
        *(torch.tensor(vae.config[name]).view(-1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
    )


@dataclass(frozen=True)
class Shards:
    """All encoded scenes: latents `[N, 16, T, 8, 8]` (normalised, float16), folded masks `[N, 64, T, 8, 8]` bool."""

    inactive: Tensor
    reactive: Tensor
    target: Tensor
    mask: Tensor
    wordings: list[list[str]]

    def context(self, rows: Tensor) -> Tensor:
        """The 96 channels of the chosen scenes, float32, on the device that trains; `rows` are where the scenes are."""
        parts = [self.inactive[rows].float(), self.reactive[rows].float(), self.mask[rows].float()]
        return torch.cat(parts, dim=1).to(run.DEVICE)


@torch.no_grad()
def measure(vae: AutoencoderKLWan, path: Path) -> Statistics:
    """The statistics of the VAE's latents over 192 training clips; kept in `path`."""
    if not path.exists():
        clips = [_videos([scenes.example(FIRST_SEED + i).target]) for i in range(192)]
        latents = torch.cat([_encode(vae, torch.cat(clips[i : i + 16])) for i in range(0, 192, 16)])
        mean, std = latents.mean(dim=(0, 2, 3, 4)), latents.std(dim=(0, 2, 3, 4))
        run.save_atomically({"mean": mean.view(-1, 1, 1, 1), "std": std.view(-1, 1, 1, 1)}, path)
    return Statistics(**torch.load(path, weights_only=True))


def encode_scenes(vae: AutoencoderKLWan, folder: Path, *, num_scenes: int) -> tuple[Shards, Statistics]:
    """Encode scenes `FIRST_SEED` onwards into `folder`, going on where an earlier run stopped."""
    statistics = measure(vae, folder / "latent_statistics.pt")
    for shard in range(num_scenes // SHARD):
        path = folder / "latents" / f"{shard:04d}.pt"
        if not path.exists():
            first = FIRST_SEED + shard * SHARD
            examples = [scene_of(first + number) for number in range(SHARD)]
            run.save_atomically(encode_examples(vae, statistics, examples), path)
            log.info("encoded %d of %d scenes", (shard + 1) * SHARD, num_scenes)
    return load(folder, num_scenes), statistics


def load(folder: Path, num_scenes: int) -> Shards:
    """The encoded scenes of `folder`."""
    paths = sorted((folder / "latents").glob("*.pt"))[: num_scenes // SHARD]
    return joined([torch.load(path, weights_only=True) for path in paths])


def joined(parts: Sequence[dict[str, Any]]) -> Shards:
    """What `encode_examples` made, in one."""
    tensors = {
        name: torch.cat([part[name] for part in parts]) for name in ("inactive", "reactive", "target", "mask")
    }
    return Shards(**tensors, wordings=[words for part in parts for words in part["wordings"]])


def scene_of(seed: int) -> scenes.Example:
    """The training scene of a seed: beyond the first `NUM_AS_JUDGED`, masks in time, styles and continuations in turn."""
    if seed < FIRST_SEED + NUM_AS_JUDGED:
        return scenes.example(seed)
    match seed % 4:
        case 0:
            return scenes.example(seed, mask_kind="time", num_things=2)
        case 1:
            return scenes.example(seed, kind="style", mask_kind="time")
        case 2:
            return scenes.example(seed, kind="style")
        case _:
            return scenes.continued(seed)


@torch.no_grad()
def encode_examples(
    vae: AutoencoderKLWan, statistics: Statistics, examples: Sequence[scenes.Example]
) -> dict[str, Tensor | list[list[str]]]:
    """What `Shards` holds, of examples of one length; a clip that several of them share is encoded once."""
    edited = [(e.mask > EDITED_ABOVE)[..., None] for e in examples]
    gray = statistics.normalise(_encode(vae, torch.zeros(1, 3, *examples[0].mask.shape)))
    whole = [bool(mask.all()) for mask in edited]

    def encode(clips: list[scenes.Frames], masks: list[np.ndarray] | None = None) -> Tensor:
        video = _videos(clips)
        if masks is not None:
            video = video * torch.from_numpy(np.stack(masks)).permute(0, 4, 1, 2, 3)
        keys = [clip.numpy().tobytes() for clip in video]
        distinct = dict(zip(keys, video, strict=True))
        parts = torch.stack(list(distinct.values())).split(run.CLIPS_AT_ONCE)
        latents = statistics.normalise(torch.cat([_encode(vae, part) for part in parts])).half()
        places = {key: place for place, key in enumerate(distinct)}
        return latents[[places[key] for key in keys]]

    masked = [i for i in range(len(examples)) if not whole[i]]
    inactive = gray.half().repeat(len(examples), 1, 1, 1, 1)
    if masked:
        inactive[masked] = encode([examples[i].kept for i in masked], [~edited[i] for i in masked])
    return {
        "inactive": inactive,
        "reactive": encode([e.source for e in examples], edited),
        "target": encode([e.target for e in examples]),
        "mask": torch.stack([fold_mask(torch.from_numpy(e.mask)) for e in examples]) > EDITED_ABOVE,
        "wordings": [list(e.wordings) for e in examples],
    }


def _encode(vae: AutoencoderKLWan, video: Tensor) -> Tensor:
    with run.fast_arithmetic():
        return whole_clip.encode(vae, video.to(run.DEVICE)).float().cpu()


def _videos(clips: list[scenes.Frames]) -> Tensor:
    return torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3) * 2 - 1
