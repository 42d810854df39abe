"""The demo's edit module learns further: `python -m training.further FOLDER`.

Base, text encoder, VAE and LoRA stay as they are; what else was trained on them stays right. In two of three steps the module
learns as the recipe runs it: with the LoRA, at the levels of its Euler steps, each from where those before it led, so that it
learns to mend what it did. In the others it learns by flow matching without the LoRA, for runs of many guided steps. The run goes
on where it was stopped.
"""

from __future__ import annotations

import argparse
import copy
import logging
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from reelpatch.headless.demo import scenes
from reelpatch.recipes import recipe
from reelpatch.sampling.schedules import euler
from training import run
from training.editor import NOT_MATRICES, PROMPT_DROPOUT, SHIFT
from training.export import export_module
from training.further_scenes import SceneFolder
from training.latents import Shards
from training.model import DemoFamily
from training.restore import restore_family, restore_vae
from training.vae import build as build_vae
from training.words import encode

log = logging.getLogger("reelpatch.training")

MODELS = Path(scenes.__file__).parent / "models"
LORA = Path("loras") / "reelpatch_demo_4step_lora.safetensors"
NUM_STEPS, MUON_LR, ADAMW_LR = 6000, 0.008, 5e-4
FIRST_DRAW = 8_000_000
# Shards at the first step, after how many steps another comes in, and how many there are: training begins before all is encoded.
FIRST_SHARDS, STEPS_FOR_A_SHARD, MOST_SHARDS = 3, 100, 24
# Of a step: clips of 9 frames, and clips with their first frame given; in a step with the LoRA each is trained at all of its levels.
NUM_FEW, NUM_MANY = (10, 4), (20, 8)
MANY_EVERY = 3
LEVELS = euler(recipe("demo").steps, recipe("demo").shift).tolist()


@dataclass(frozen=True)
class Part:
    """Examples of one length in a step: latents `[B, 16, T, 8, 8]`, context `[B, 96, T, 8, 8]`, text `[B, TEXT_ROWS, D]`.

    All cells weigh the same: where what changes weighs more, a model that does not know which of two things is meant learns to
    change both.
    """

    clean: Tensor
    context: Tensor
    text: Tensor


class Texts:
    """Embedded sentences, each embedded once: what embeds them is not trained."""

    def __init__(self, family: DemoFamily) -> None:
        self._family, self._known = family, dict[str, Tensor]()

    @torch.no_grad()
    def __call__(self, sentences: list[str]) -> Tensor:
        new = sorted(set(sentences) - self._known.keys())
        if new:
            self._known |= dict(zip(new, self._family.embed_text(encode(new).to(run.DEVICE)), strict=True))
        return torch.stack([self._known[sentence] for sentence in sentences])


def draw(
    shards: Shards, count: int, texts: Texts, generator: torch.Generator, *, dropout: float = 0.0
) -> Part:
    """So many examples with one wording each, of which a share of `dropout` is dropped."""
    rows = torch.randint(len(shards.wordings), (count,), generator=generator)
    picks = torch.rand(count, generator=generator).tolist()
    dropped = (torch.rand(count, generator=generator) < dropout).tolist()
    sentences = [
        "" if drop else shards.wordings[row][int(pick * len(shards.wordings[row]))]
        for row, pick, drop in zip(rows.tolist(), picks, dropped, strict=True)
    ]
    return Part(shards.target[rows].float().to(run.DEVICE), shards.context(rows), texts(sentences))


def few_steps_loss(family: DemoFamily, part: Part, generator: torch.Generator) -> Tensor:
    """The mean error of the recipe's steps: each is to lead from where those before it led straight to the clean latents."""
    x = torch.randn(part.clean.shape, generator=generator).to(run.DEVICE)
    total = torch.zeros((), device=run.DEVICE)
    for level, following in pairwise(LEVELS):
        with run.fast_arithmetic():
            velocity = family(x, torch.full((len(x),), level, device=run.DEVICE), part.text, part.context)
        total = total + (velocity.float() - (x - part.clean) / level).square().mean()
        x = x + (following - level) * velocity.detach().float()
    return total / (len(LEVELS) - 1)


def many_steps_loss(family: DemoFamily, part: Part, generator: torch.Generator) -> Tensor:
    """Flow matching, noise levels shifted by `SHIFT`."""
    count = len(part.clean)
    u = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
    sigma = (SHIFT * u / (1 + (SHIFT - 1) * u)).to(run.DEVICE)
    noise = torch.randn(part.clean.shape, generator=generator).to(run.DEVICE)
    at = sigma.view(-1, 1, 1, 1, 1)
    with run.fast_arithmetic():
        velocity = family((1 - at) * part.clean + at * noise, sigma, part.text, part.context)
    return (velocity.float() - (noise - part.clean)).square().mean()


def with_lora(family: DemoFamily, lora: dict[str, Tensor]) -> DemoFamily:
    """The family with a LoRA's file added to its base; the edit module of both is the same one."""
    fast = copy.deepcopy(family)
    fast.vace = family.vace
    own = dict(fast.named_parameters())
    down, up = ".lora_down.weight", ".lora_up.weight"
    with torch.no_grad():
        for name in (one for one in lora if one.endswith(down)):
            layer = name.removesuffix(down)
            own[f"{layer.removeprefix('diffusion_model.')}.weight"] += (
                lora[layer + up].float() @ lora[name].float()
            )
    return fast


def train(folder: Path, models: Path) -> DemoFamily:
    """The family of a models folder, whose edit module has learned further; its weights are averages."""
    vae = build_vae()
    restore_vae(vae, models)
    found = SceneFolder(vae.to(run.DEVICE), folder)
    torch.manual_seed(0)
    family = DemoFamily()
    restore_family(family, models)
    family.requires_grad_(False).to(run.DEVICE)
    fast = with_lora(family, load_file(models / LORA, device=str(run.DEVICE)))
    family.vace.requires_grad_(True)
    texts = Texts(family)

    def loss_of(step: int) -> Tensor:
        generator = torch.Generator().manual_seed(FIRST_DRAW + step)
        known = found.first(min(MOST_SHARDS, FIRST_SHARDS + step // STEPS_FOR_A_SHARD))
        is_many = step % MANY_EVERY == MANY_EVERY - 1
        counts, dropout = (NUM_MANY, PROMPT_DROPOUT) if is_many else (NUM_FEW, 0.0)
        total = torch.zeros((), device=run.DEVICE)
        for shards, count in zip((known.plain, known.given), counts, strict=True):
            part = draw(shards, count, texts, generator, dropout=dropout)
            loss = (
                many_steps_loss(family, part, generator) if is_many else few_steps_loss(fast, part, generator)
            )
            total = total + loss * count / sum(counts)
        return total

    optimizer = run.Matrices(family.vace, muon_lr=MUON_LR, adamw_lr=ADAMW_LR, adamw_names=NOT_MATRICES)
    average = run.train(
        family.vace, optimizer, loss_of, num_steps=NUM_STEPS, checkpoint=folder / "further.pt"
    )
    family.vace.load_state_dict({**family.vace.state_dict(), **average.weights})
    return family.eval()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.further", description=__doc__)
    parser.add_argument("folder", type=Path, help="where checkpoints go (about 200 MB)")
    parser.add_argument(
        "--models", type=Path, default=MODELS, help="whose edit module learns (default: the demo's own)"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    export_module(train(options.folder, options.models), options.models)


if __name__ == "__main__":
    main()
