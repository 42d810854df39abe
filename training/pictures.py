"""The demo's image-to-video weights, which edit pictures as ChronoEdit does: `python -m training.pictures FOLDER`.

They begin with the demo's base and learn pairs of latent frames, a picture and its edit, at the ends of a film; in one step
of `FILM_EVERY` the way between them too. It goes on where it was stopped; with `--minutes` it stops by itself.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.headless.demo import scenes
from training import run
from training.editor import CHANGED_WEIGHT, NOT_MATRICES, PROMPT_DROPOUT, SHIFT
from training.export import export_picture_backbone
from training.picture_films import NUM_FILMS, FilmFolder, Films, scenes_at
from training.picture_model import PictureFamily, from_the_demo
from training.restore import restore_vae
from training.vae import build as build_vae
from training.words import encode

log = logging.getLogger("reelpatch.training")

MODELS = Path(scenes.__file__).parent / "models"
NUM_STEPS = 2400
PAIRS, FILMS, FILM_EVERY = 32, 8, 6
DROPPED_SHARE = 0.25  # of pairs have the condition of a film whose frames between were dropped


def drawn(films: Films, step: int) -> tuple[Tensor, Tensor, Tensor, torch.Generator]:
    """Latents, condition and token ids of a step, and the generator for the rest of its randomness."""
    generator = torch.Generator().manual_seed(4_000_000 + step)
    has_way = step % FILM_EVERY == 0
    count, among = (FILMS, NUM_FILMS) if has_way else (PAIRS, scenes_at(step))
    rows = torch.randint(among, (count,), generator=generator)
    picks = torch.rand(count, generator=generator).tolist()
    is_dropped = torch.rand(count, generator=generator) < PROMPT_DROPOUT
    ids = encode(
        [
            "" if drop else films.wordings[row][int(pick * len(films.wordings[row]))]
            for drop, row, pick in zip(is_dropped.tolist(), rows.tolist(), picks, strict=True)
        ]
    )
    if has_way:
        return *films.films(rows), ids, generator
    dropped = torch.rand(count, generator=generator) < DROPPED_SHARE
    return *films.pairs(rows, dropped=dropped), ids, generator


def loss_of(family: PictureFamily, films: Films, step: int) -> Tensor:
    """The flow-matching loss of a step: velocity = noise - clean, noise levels shifted by `SHIFT`."""
    clean, condition, ids, generator = drawn(films, step)
    count = len(clean)
    u = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
    sigma = SHIFT * u / (1 + (SHIFT - 1) * u)
    noise = torch.randn(clean.shape, generator=generator)
    at = sigma.view(-1, 1, 1, 1, 1)
    with torch.no_grad():
        rows = family.text_rows(ids)
    with run.fast_arithmetic():
        text = family.text_embedding(rows)
        velocity = family.velocity((1 - at) * clean + at * noise, condition, sigma, text).float()
    changed = (clean - clean[:, :, :1]).abs().mean(dim=1, keepdim=True) > 0.25
    weight = 1 + CHANGED_WEIGHT * changed
    return ((velocity - (noise - clean)).square() * weight).sum() / (weight.sum() * clean.shape[1])


def train(folder: Path, films: FilmFolder, *, until: float) -> PictureFamily:
    """The family with averaged weights. Raises: `run.OutOfTime` as `run.train`."""
    torch.manual_seed(0)
    family = from_the_demo(MODELS)
    optimizer = run.Matrices(family, muon_lr=0.01, adamw_lr=1e-3, adamw_names=NOT_MATRICES)
    average = run.train(
        family,
        optimizer,
        lambda step: loss_of(family, films.first(scenes_at(step)), step),
        num_steps=NUM_STEPS,
        checkpoint=folder / "pictures.pt",
        until=until,
    )
    family.load_state_dict({**family.state_dict(), **average.weights})
    return family.eval()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where checkpoints go")
    parser.add_argument(
        "--minutes", type=float, default=1e6, help="stop after so many, to go on another time"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    until = time.monotonic() + 60 * options.minutes
    vae = build_vae()
    restore_vae(vae, MODELS)
    try:
        family = train(options.folder, FilmFolder(vae.eval(), options.folder), until=until)
    except run.OutOfTime:
        log.info("the time is over: the same command goes on")
        return
    export_picture_backbone(family, MODELS)


if __name__ == "__main__":
    main()
