"""The demo's image-to-video weights, which edit pictures as ChronoEdit does: `python -m training.pictures FOLDER`.

They begin with the demo's base and learn pairs of latent frames, a picture and its edit, at the ends of a film; in one step
of `FILM_EVERY` the way between them too. With `--further`, in a folder of its own, the finished weights learn from further
scenes. It goes on where it was stopped; with `--minutes` it stops by itself.
"""

from __future__ import annotations

import argparse
import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reelpatch.headless.demo import scenes
from training import run, timed
from training.editor import CHANGED_WEIGHT, NOT_MATRICES, PROMPT_DROPOUT, levels
from training.export import export_picture_backbone
from training.picture_films import (
    FIRST_SEED,
    NUM_SCENES,
    TIMED_SEED,
    FilmFolder,
    Films,
    scenes_at,
    timed_example,
)
from training.picture_model import PictureFamily, from_the_demo, restore_pictures
from training.sentences import Texts, Wordings
from training.vae import shipped as shipped_vae

log = logging.getLogger("reelpatch.training")

MODELS = Path(scenes.__file__).parent / "models"


@dataclass(frozen=True)
class Round:
    """One training of the weights: steps, learning rate of their matrices, and the seeds of its scenes and of its draws."""

    num_steps: int
    muon_lr: float
    scenes_seed: int
    draws_seed: int


FROM_THE_BASE = Round(2400, 0.01, FIRST_SEED, 4_000_000)
FURTHER = Round(5000, 0.007, FIRST_SEED + NUM_SCENES, 5_000_000)
TIMED_LR, TIMED_DRAWS = 0.012, 11_000_000
PAIRS, FILMS, FILM_EVERY = 32, 8, 6
DROPPED_SHARE = 0.25  # of pairs have the condition of a film whose frames between were dropped


Batch = dict[str, Tensor]
"""Of a step: `clean` latents and their `condition` `[B, 16, T, 8, 8]`, `text` as the frozen encoder has it, `sigma` `[B]` and `noise`."""


class Batches:
    """What a step is trained on, by its number alone where scenes come in by it; `factor` times as many as on a CPU."""

    def __init__(self, films_at: Callable[[int], Films], texts: Texts, *, factor: int = 1) -> None:
        self._films_at, self._texts, self._factor = films_at, texts, factor
        self._films: Films | None = None

    def drawn(self, step: int, among: int | None, generator: torch.Generator) -> Batch:
        """Pairs are drawn from the first so many scenes, or from all (None)."""
        films = self._films_at(step)
        if films is not self._films:
            self._films, self._wordings = films, Wordings(films.wordings, self._texts)
        on: dict[str, Any] = {"generator": generator, "device": run.DEVICE}
        count = (FILMS if has_way(step) else PAIRS) * self._factor
        rows = torch.randint(len(films.still) if has_way(step) else among or len(films.pair), (count,), **on)
        picks = torch.rand(count, **on)
        text = self._wordings.drawn(rows, picks, torch.rand(count, **on) < PROMPT_DROPOUT)
        if has_way(step):
            clean, condition = films.films(rows)
        else:
            clean, condition = films.pairs(rows, dropped=torch.rand(count, **on) < DROPPED_SHARE)
        sigma = levels(count, generator)
        noise = torch.randn(clean.shape, **on)
        return {"clean": clean, "condition": condition, "text": text, "sigma": sigma, "noise": noise}


def has_way(step: int) -> bool:
    """Whether a step is of films."""
    return step % FILM_EVERY == 0


def loss_on(family: PictureFamily, batch: Batch, changed_weight: float) -> Tensor:
    """The flow-matching loss: velocity = noise - clean; latent cells that change weigh so much more."""
    clean, noise, sigma = batch["clean"], batch["noise"], batch["sigma"]
    at = sigma.view(-1, 1, 1, 1, 1)
    with run.fast_arithmetic():
        text = family.text_embedding(batch["text"])
        velocity = family.velocity((1 - at) * clean + at * noise, batch["condition"], sigma, text).float()
    changed = (clean - clean[:, :, :1]).abs().mean(dim=1, keepdim=True) > 0.25
    weight = 1 + changed_weight * changed
    return ((velocity - (noise - clean)).square() * weight).sum() / (weight.sum() * clean.shape[1])


def train(
    family: PictureFamily, learned: Round, folder: Path, films: FilmFolder, *, until: float
) -> PictureFamily:
    """The family with averaged weights. Raises: `run.OutOfTime` as `run.train`."""
    torch.manual_seed(0)
    batches = Batches(lambda step: films.first(scenes_at(step)), Texts(family.text_rows))

    def loss_of(step: int) -> Tensor:
        generator = torch.Generator(run.DEVICE).manual_seed(learned.draws_seed + step)
        return loss_on(family, batches.drawn(step, scenes_at(step), generator), CHANGED_WEIGHT)

    average = run.train(
        family,
        optimizer_of(family, learned.muon_lr),
        loss_of,
        num_steps=learned.num_steps,
        checkpoint=folder / "pictures.pt",
        until=until,
    )
    return averaged(family, average)


def optimizer_of(family: PictureFamily, muon_lr: float) -> run.Matrices:
    return run.Matrices(family, muon_lr=muon_lr, adamw_lr=1e-3, adamw_names=NOT_MATRICES)


def averaged(family: PictureFamily, average: run.Average) -> PictureFamily:
    """A family with those weights."""
    own = copy.deepcopy(family)
    own.load_state_dict({**family.state_dict(), **average.weights})
    return own.eval()


@dataclass(frozen=True)
class Timed:
    """As `timed.Stage`; all cells weigh the same, for what weighs more where it changes makes a model change both of two things."""

    family: PictureFamily
    batches: Batches

    def draw(self, step: int) -> timed.Draw:
        generator = torch.Generator(run.DEVICE).manual_seed(TIMED_DRAWS + step)
        return ("films" if has_way(step) else "pairs"), [self.batches.drawn(step, None, generator)]

    def loss(self, kind: str, parts: list[Batch]) -> Tensor:  # noqa: ARG002 -- as `timed.Stage`
        return loss_on(self.family, parts[0], changed_weight=0.0)


def timed_scenes(folder: Path) -> FilmFolder:
    """The scenes of a training by time."""
    return FilmFolder(partial(shipped_vae, MODELS), folder, TIMED_SEED, timed_example)


def train_by_time(folder: Path, options: timed.Options) -> float:
    """As `timed.train`, from the finished weights on; the file goes into the folder that the options name."""
    family = restore_pictures(MODELS).to(run.DEVICE)
    arriving = timed.Arriving(timed_scenes(folder), ends_at=options.ends_at)
    batches = Batches(lambda _: arriving(), Texts(family.text_rows), factor=options.factor)
    return timed.train(
        family,
        optimizer_of(family, TIMED_LR * options.rate),
        Timed(family, batches),
        options,
        keep=lambda average: export_picture_backbone(averaged(family, average), options.out),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where checkpoints go")
    parser.add_argument(
        "--minutes", type=float, default=1e6, help="stop after so many, to go on another time"
    )
    parser.add_argument(
        "--further", action="store_true", help="go on from the finished weights, with other scenes"
    )
    timed.add_options(parser)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if by_time := timed.Options.of(options):
        train_by_time(options.folder, by_time)
        return
    until = time.monotonic() + 60 * options.minutes
    learned, family = (
        (FURTHER, restore_pictures(MODELS)) if options.further else (FROM_THE_BASE, from_the_demo(MODELS))
    )
    films = FilmFolder(partial(shipped_vae, MODELS), options.folder, learned.scenes_seed)
    try:
        family = train(family.to(run.DEVICE), learned, options.folder, films, until=until)
    except run.OutOfTime:
        log.info("the time is over: the same command goes on")
        return
    export_picture_backbone(family, MODELS)


if __name__ == "__main__":
    main()
