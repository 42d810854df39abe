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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from reelpatch.headless.demo import scenes
from reelpatch.recipes import recipe
from reelpatch.sampling.schedules import euler
from training import run, timed
from training.editor import NOT_MATRICES, PROMPT_DROPOUT, levels
from training.export import export_module
from training.further_scenes import TIMED_COUNTS, TIMED_SEED, SceneFolder, Scenes
from training.latents import Shards
from training.model import DemoFamily
from training.restore import restore_family
from training.sentences import Texts, Wordings
from training.vae import shipped as shipped_vae

log = logging.getLogger("reelpatch.training")

MODELS = Path(scenes.__file__).parent / "models"
LORA = Path("loras") / "reelpatch_demo_4step_lora.safetensors"
NUM_STEPS, MUON_LR, ADAMW_LR = 6000, 0.008, 5e-4
FIRST_DRAW, TIMED_DRAWS = 8_000_000, 10_000_000
# Shards at the first step, after how many steps another comes in, and how many there are: training begins before all is encoded.
FIRST_SHARDS, STEPS_FOR_A_SHARD, MOST_SHARDS = 3, 100, 24
# Of a step: clips of 9 frames, and clips with their first frame given; in a step with the LoRA each is trained at all of its levels.
NUM_FEW, NUM_MANY = (10, 4), (20, 8)
MANY_EVERY = 3
LEVELS = euler(recipe("demo").steps, recipe("demo").shift).tolist()


@dataclass(frozen=True)
class Part:
    """Examples of one length in a step: latents `[B, 16, T, 8, 8]`, context `[B, 96, T, 8, 8]`, text `[B, TEXT_ROWS, D]`.

    `noise` is of the latents' shape, and `sigma` `[B]`, None in a step at the recipe's own levels. All cells weigh the same: where
    what changes weighs more, a model that does not know which of two things is meant learns to change both.
    """

    clean: Tensor
    context: Tensor
    text: Tensor
    noise: Tensor
    sigma: Tensor | None = None


class Batches:
    """The two parts of a step, of clips of 9 frames and of those with their first frame given; `factor` times as many as on a CPU."""

    def __init__(self, scenes_at: Callable[[int], Scenes], texts: Texts, *, factor: int = 1) -> None:
        self._scenes_at, self._texts, self._factor = scenes_at, texts, factor
        self._known: Scenes | None = None
        self._wordings: list[Wordings] = []

    def parts(self, step: int, generator: torch.Generator) -> list[Part]:
        known = self._scenes_at(step)
        if known is not self._known:
            self._known = known
            self._wordings = [Wordings(one.wordings, self._texts) for one in (known.plain, known.given)]
        is_many = has_many_steps(step)
        counts, dropout = (NUM_MANY, PROMPT_DROPOUT) if is_many else (NUM_FEW, 0.0)
        material = zip((known.plain, known.given), self._wordings, counts, strict=True)
        return [
            _drawn(shards, wordings, self._factor * count, generator, dropout=dropout, is_many=is_many)
            for shards, wordings, count in material
        ]


def has_many_steps(step: int) -> bool:
    """Whether a step of the training is of flow matching at any level, without the LoRA."""
    return step % MANY_EVERY == MANY_EVERY - 1


def _drawn(
    shards: Shards,
    wordings: Wordings,
    count: int,
    generator: torch.Generator,
    *,
    dropout: float,
    is_many: bool,
) -> Part:
    """So many examples with one wording each, of which a share of `dropout` is dropped, with their noise."""
    on: dict[str, Any] = {"generator": generator, "device": run.DEVICE}
    rows = torch.randint(len(shards.wordings), (count,), **on)
    picks = torch.rand(count, **on)
    text = wordings.drawn(rows, picks, torch.rand(count, **on) < dropout)
    clean = shards.target[rows].float()
    sigma = levels(count, generator) if is_many else None
    return Part(clean, shards.context(rows), text, torch.randn(clean.shape, **on), sigma)


def few_steps_loss(family: DemoFamily, part: Part) -> Tensor:
    """The mean error of the recipe's steps: each is to lead from where those before it led straight to the clean latents."""
    x, total = part.noise, torch.zeros((), device=part.clean.device)
    for level, following in pairwise(LEVELS):
        with run.fast_arithmetic():
            velocity = family(x, x.new_full((len(x),), level), part.text, part.context)
        total = total + (velocity.float() - (x - part.clean) / level).square().mean()
        x = x + (following - level) * velocity.detach().float()
    return total / (len(LEVELS) - 1)


def few_steps_loss_at_once(family: DemoFamily, part: Part) -> Tensor:
    """The same in fewer and larger launches, for a GPU: the steps without gradients, then all their errors together."""
    before, x = [], part.noise
    for level, following in pairwise(LEVELS):
        before.append(x)
        if following > 0:
            with torch.no_grad():
                x = x + (following - level) * family(x, x.new_full((len(x),), level), part.text, part.context)
    count, steps, at = len(x), len(before), torch.cat(before)
    sigma = torch.cat([x.new_full((count,), level) for level in LEVELS[:steps]])
    velocity = family(at, sigma, part.text.repeat(steps, 1, 1), part.context.repeat(steps, 1, 1, 1, 1))
    straight = (at - part.clean.repeat(steps, 1, 1, 1, 1)) / sigma.view(-1, 1, 1, 1, 1)
    return (velocity - straight).square().mean()


def many_steps_loss(family: DemoFamily, part: Part) -> Tensor:
    """Flow matching at the part's levels."""
    assert part.sigma is not None
    at = part.sigma.view(-1, 1, 1, 1, 1)
    with run.fast_arithmetic():
        velocity = family((1 - at) * part.clean + at * part.noise, part.sigma, part.text, part.context)
    return (velocity.float() - (part.noise - part.clean)).square().mean()


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


@dataclass(frozen=True)
class Family:
    """The family of a models folder, whose edit module alone learns, and the same with its LoRA, which shares the module."""

    plain: DemoFamily
    fast: DemoFamily

    @classmethod
    def of(cls, models: Path) -> Family:
        torch.manual_seed(0)
        family = DemoFamily()
        restore_family(family, models)
        family.requires_grad_(False).to(run.DEVICE)
        fast = with_lora(family, load_file(models / LORA, device=str(run.DEVICE)))
        family.vace.requires_grad_(True)
        return cls(family, fast)

    def optimizer(self, rate: float = 1.0) -> run.Matrices:
        vace = self.plain.vace
        return run.Matrices(vace, muon_lr=MUON_LR * rate, adamw_lr=ADAMW_LR * rate, adamw_names=NOT_MATRICES)

    def loss_on(self, parts: list[Part], few_steps: Callable[[DemoFamily, Part], Tensor]) -> Tensor:
        """The mean over all examples of a step."""
        total = torch.zeros((), device=run.DEVICE)
        for part in parts:
            is_many = part.sigma is not None
            loss = many_steps_loss(self.plain, part) if is_many else few_steps(self.fast, part)
            total = total + loss * len(part.clean)
        return total / sum(len(part.clean) for part in parts)

    def averaged(self, average: run.Average) -> DemoFamily:
        """A family with those weights of the module."""
        family = copy.deepcopy(self.plain)
        family.vace.load_state_dict({**family.vace.state_dict(), **average.weights})
        return family.eval()


def train(folder: Path, models: Path) -> DemoFamily:
    """The family of a models folder, whose edit module has learned further; its weights are averages."""
    found, family = SceneFolder(partial(shipped_vae, models), folder), Family.of(models)

    def scenes_at(step: int) -> Scenes:
        return found.first(min(MOST_SHARDS, FIRST_SHARDS + step // STEPS_FOR_A_SHARD))

    batches = Batches(scenes_at, Texts(family.plain.embed_text))

    def loss_of(step: int) -> Tensor:
        generator = torch.Generator(run.DEVICE).manual_seed(FIRST_DRAW + step)
        return family.loss_on(batches.parts(step, generator), few_steps_loss)

    average = run.train(
        family.plain.vace,
        family.optimizer(),
        loss_of,
        num_steps=NUM_STEPS,
        checkpoint=folder / "further.pt",
    )
    return family.averaged(average)


@dataclass(frozen=True)
class Timed:
    """As `timed.Stage`."""

    family: Family
    batches: Batches

    def draw(self, step: int) -> timed.Draw:
        generator = torch.Generator(run.DEVICE).manual_seed(TIMED_DRAWS + step)
        parts = self.batches.parts(step, generator)
        tensors = [{name: one for name, one in vars(part).items() if one is not None} for part in parts]
        return ("many steps" if has_many_steps(step) else "few steps"), tensors

    def loss(self, kind: str, parts: list[dict[str, Tensor]]) -> Tensor:  # noqa: ARG002 -- as `timed.Stage`
        return self.family.loss_on([Part(**part) for part in parts], few_steps_loss_at_once)


def timed_scenes(folder: Path, models: Path = MODELS) -> SceneFolder:
    """The scenes of a training by time."""
    return SceneFolder(partial(shipped_vae, models), folder, TIMED_SEED, TIMED_COUNTS)


def train_by_time(folder: Path, options: timed.Options, models: Path = MODELS) -> float:
    """As `timed.train`; the module's file goes into the folder that the options name."""
    family = Family.of(models)
    arriving = timed.Arriving(timed_scenes(folder), ends_at=options.ends_at)
    batches = Batches(lambda _: arriving(), Texts(family.plain.embed_text), factor=options.factor)
    return timed.train(
        family.plain.vace,
        family.optimizer(options.rate),
        Timed(family, batches),
        options,
        keep=lambda average: export_module(family.averaged(average), options.out),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.further", description=__doc__)
    parser.add_argument("folder", type=Path, help="where checkpoints go (about 200 MB)")
    parser.add_argument(
        "--models", type=Path, default=MODELS, help="whose edit module learns (default: the demo's own)"
    )
    timed.add_options(parser)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if by_time := timed.Options.of(options):
        train_by_time(options.folder, by_time, options.models)
        return
    export_module(train(options.folder, options.models), options.models)


if __name__ == "__main__":
    main()
