"""Stage 4: a LoRA with which four Euler steps and no guidance do what sixteen guided steps of the base do.

The student learns the straight pieces of the teacher's path: between two of its four noise levels, the one
velocity that leads from where the teacher was to where the teacher arrived.
"""

from __future__ import annotations

import logging
from itertools import pairwise
from pathlib import Path

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor

from reelpatch.sampling.schedules import euler
from training import run
from training.latents import Shards
from training.model import DemoFamily
from training.words import encode

log = logging.getLogger("reelpatch.training")

NUM_SCENES = 1024
TEACHER_STEPS, STUDENT_STEPS, SHIFT, GUIDANCE = 16, 4, 3.0, 2.5
RANK = 16
NUM_STEPS, BATCH, LEARNING_RATE = 700, 48, 2e-3
TARGETS = r"blocks\.\d+\.(self_attn|cross_attn)\.[qkvo]|blocks\.\d+\.ffn\.[02]"


def scene_rows(shards: Shards) -> Tensor:
    """The scenes that are taught, `[NUM_SCENES]`: spread evenly over all kinds that there are."""
    return torch.arange(NUM_SCENES) * len(shards.wordings) // NUM_SCENES


@torch.no_grad()
def teach(family: DemoFamily, shards: Shards, path: Path) -> dict[str, Tensor]:
    """The teacher's latents at the student's noise levels, `[N, STUDENT_STEPS + 1, 16, 3, 8, 8]`, kept in `path`."""
    if path.exists():
        return torch.load(path, weights_only=True)
    sigmas = euler(TEACHER_STEPS, SHIFT).tolist()
    parts, ids = [], []
    for first in range(0, NUM_SCENES, 64):
        rows = scene_rows(shards)[first : first + 64]
        sentences = [shards.wordings[row][row % len(shards.wordings[row])] for row in rows.tolist()]
        ids.append(encode(sentences))
        parts.append(_path(family, shards.context(rows), ids[-1], sigmas, seed=first))
        log.info("teacher: %d of %d scenes", first + 64, NUM_SCENES)
    taught = {"path": torch.cat(parts), "ids": torch.cat(ids)}
    run.save_atomically(taught, path)
    return taught


def _path(family: DemoFamily, context: Tensor, ids: Tensor, sigmas: list[float], *, seed: int) -> Tensor:
    text, empty = (family.embed_text(i.to(run.DEVICE)) for i in (ids, encode([""] * len(ids))))
    x = torch.randn(len(ids), 16, 3, 8, 8, generator=torch.Generator().manual_seed(seed)).to(run.DEVICE)
    kept = [x]
    for i, (sigma, following) in enumerate(pairwise(sigmas)):
        level = torch.full((len(ids),), sigma, device=run.DEVICE)
        with_text, without = family(x, level, text, context), family(x, level, empty, context)
        x = x + (following - sigma) * (without + GUIDANCE * (with_text - without))
        if (i + 1) % (TEACHER_STEPS // STUDENT_STEPS) == 0:
            kept.append(x)
    return torch.stack(kept, dim=1).cpu()


def train(folder: Path, family: DemoFamily, shards: Shards) -> dict[str, Tensor]:
    """The LoRA's tensors by the name of their layer, `blocks.N.*.{lora_A,lora_B}`; `family` gets the adapter."""
    taught = teach(family, shards, folder / "teacher.pt")
    rows, sigmas = scene_rows(shards), euler(STUDENT_STEPS, SHIFT).to(run.DEVICE)
    torch.manual_seed(0)
    family.requires_grad_(False)
    inject_adapter_in_model(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS), family)
    optimizer = run.Matrices(family, muon_lr=0.0, adamw_lr=LEARNING_RATE, adamw_names=("weight",))

    def loss_of(step: int) -> Tensor:
        generator = torch.Generator().manual_seed(2_000_000 + step)
        picks = torch.randint(NUM_SCENES, (BATCH,), generator=generator)
        at = torch.randint(STUDENT_STEPS, (BATCH,), generator=generator)
        start, end, ids = (
            x.to(run.DEVICE)
            for x in (taught["path"][picks, at], taught["path"][picks, at + 1], taught["ids"][picks])
        )
        span = (sigmas[at + 1] - sigmas[at]).view(-1, 1, 1, 1, 1)
        predicted = family(start, sigmas[at], family.embed_text(ids), shards.context(rows[picks]))
        return (predicted - (end - start) / span).square().mean()

    average = run.train(family, optimizer, loss_of, num_steps=NUM_STEPS, checkpoint=folder / "lora.pt")
    return {name.replace(".default.weight", ""): weight for name, weight in average.weights.items()}
