"""Stage 3: text encoder, base transformer and edit module together, by flow matching on the encoded scenes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from training import run
from training.latents import Shards
from training.model import DemoFamily
from training.restore import restore_family
from training.words import encode

NUM_STEPS = 8600
BATCH = 32
SHIFT = 3.0
PROMPT_DROPOUT = 0.1
NUM_ALONE = (
    4  # scenes of a batch that the base learns without module and text, so that it is a model by itself
)
CHANGED_WEIGHT = 2.0  # extra weight of latent cells the edit changes: they are few, and they are the point
NOT_MATRICES = ("modulation", "shared.weight", "relative_attention_bias.weight", "patch_embedding.weight")


def draw(shards: Shards, step: int) -> tuple[Tensor, list[str], torch.Generator]:
    """The scenes of a step, one wording for each, and the generator for the rest of its randomness."""
    generator = torch.Generator().manual_seed(1_000_000 + step)
    rows = torch.randint(len(shards.wordings), (BATCH,), generator=generator)
    picks = torch.rand(BATCH, generator=generator).tolist()
    sentences = [
        shards.wordings[row][int(pick * len(shards.wordings[row]))]
        for row, pick in zip(rows.tolist(), picks, strict=True)
    ]
    dropped = torch.rand(BATCH, generator=generator) < PROMPT_DROPOUT
    dropped[:NUM_ALONE] = True
    return rows, ["" if drop else text for drop, text in zip(dropped, sentences, strict=True)], generator


def levels(count: int, generator: torch.Generator) -> Tensor:
    """Noise levels `[count]` on the device that trains, spread evenly before they are shifted by `SHIFT`."""
    places = torch.randperm(count, generator=generator, device=run.DEVICE)
    u = (places + torch.rand(count, generator=generator, device=run.DEVICE)) / count
    return SHIFT * u / (1 + (SHIFT - 1) * u)


def loss_of(family: DemoFamily, shards: Shards, step: int) -> Tensor:
    """The flow-matching loss of a step: velocity = noise - clean, noise levels shifted by `SHIFT`.

    Where the base is alone they are not shifted: it is for cleaning clips at low noise, not for making them up.
    """
    rows, sentences, generator = draw(shards, step)
    clean, source = (latents[rows].float().to(run.DEVICE) for latents in (shards.target, shards.reactive))
    context = shards.context(rows)
    u = (torch.randperm(BATCH, generator=generator) + torch.rand(BATCH, generator=generator)) / BATCH
    alone = torch.arange(BATCH) < NUM_ALONE
    sigma = torch.where(alone, u, SHIFT * u / (1 + (SHIFT - 1) * u))
    noise, sigma = torch.randn(clean.shape, generator=generator).to(run.DEVICE), sigma.to(run.DEVICE)
    at = sigma.view(-1, 1, 1, 1, 1)
    text = family.embed_text(encode(sentences).to(run.DEVICE))
    strength = (~alone).float().to(run.DEVICE)
    velocity = family((1 - at) * clean + at * noise, sigma, text, context, strength)
    changed = (clean - source).abs().mean(dim=1, keepdim=True) > 0.25
    weight = 1 + CHANGED_WEIGHT * changed
    return ((velocity - (noise - clean)).square() * weight).sum() / (weight.sum() * clean.shape[1])


def train(folder: Path, shards: Shards, start: Path | None = None) -> DemoFamily:
    """Train, or go on training, in `folder`; returns the family with averaged weights.

    With `start`, a folder of finished files, the first third of the steps is left out and taken as done by them.
    """
    torch.manual_seed(0)
    family = DemoFamily()
    if start is not None:
        restore_family(family, start)
    family.to(run.DEVICE)
    optimizer = run.Matrices(family, muon_lr=0.02, adamw_lr=1.5e-3, adamw_names=NOT_MATRICES)
    average = run.train(
        family,
        optimizer,
        lambda step: loss_of(family, shards, step),
        num_steps=NUM_STEPS,
        checkpoint=folder / "editor.pt",
        first_step=0 if start is None else NUM_STEPS // 3,
    )
    family.load_state_dict({**family.state_dict(), **average.weights})
    return family.eval()
