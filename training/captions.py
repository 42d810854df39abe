"""A LoRA with which the demo's base makes scenes of captions, without its edit module: `python -m training.captions FOLDER`.

The base knows instructions, which the edit module carries out on a clip; attention sharing needs a model that makes a clip
of a text alone. The file has whole differences of weights (`.diff`), as at width 128 a LoRA of rank 64 is nearly as large. It goes
on where it was stopped; with `--minutes` it stops by itself.
"""

from __future__ import annotations

import argparse
import logging
import re
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from torch import Tensor, nn

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.captions import caption_of
from training import export, run, whole_clip
from training.distil import TARGETS
from training.editor import PROMPT_DROPOUT, SHIFT
from training.latents import Statistics
from training.model import DemoFamily
from training.restore import restore_family, restore_vae
from training.vae import build as build_vae
from training.words import encode

log = logging.getLogger("reelpatch.training")

MODELS = Path(scenes.__file__).parent / "models"
FIRST_SEED, NUM_SCENES, CLIPS_AT_ONCE = 30_000_000, 8192, 16
NAMED_SHARE = 0.85  # of the scenes have a background with a name
TWO_SHARE = 0.7  # of the scenes have two things
NUM_STEPS, BATCH, LEARNING_RATE = 7000, 32, 0.02
# Extra weight of latent cells that things cover: they are few, and they are what captions name.
THING_WEIGHT = 4.0
FILE = "reelpatch_demo_captions_lora.safetensors"


def scene_of(seed: int) -> scenes.Scene:
    """The training scene of a seed: one thing or two, mostly on a background that has a name."""
    rng = np.random.default_rng(seed)
    scene = scenes.random_scene(rng, 1 + int(rng.random() < TWO_SHARE))
    named = str(rng.choice(scenes.BACKGROUNDS))
    return scenes.Scene(scene.things, named) if rng.random() < NAMED_SHARE else scene


@torch.no_grad()
def encode_scenes(folder: Path) -> tuple[Tensor, Tensor]:
    """Latents `[N, 16, 3, 8, 8]` as the backbone reads them, and token ids `[N, MAX_TOKENS]`; kept in `folder`."""
    path = folder / "captioned.pt"
    if not path.exists():
        vae = build_vae()
        restore_vae(vae, MODELS)
        parts = [
            _encode(vae.eval(), range(first, first + CLIPS_AT_ONCE))
            for first in range(FIRST_SEED, FIRST_SEED + NUM_SCENES, CLIPS_AT_ONCE)
        ]
        captions = [caption_of(scene_of(FIRST_SEED + number)) for number in range(NUM_SCENES)]
        run.save_atomically({"latents": torch.cat(parts), "ids": encode(captions)}, path)
    kept = torch.load(path, weights_only=True)
    return kept["latents"], kept["ids"]


def _encode(vae: AutoencoderKLWan, seeds: range) -> Tensor:
    if (seeds.start - FIRST_SEED) % 512 == 0:
        log.info("encoding scene %d of %d", seeds.start - FIRST_SEED, NUM_SCENES)
    clips = np.stack([scenes.render(scene_of(seed)) for seed in seeds])
    video = torch.from_numpy(clips).permute(0, 4, 1, 2, 3) * 2 - 1
    mean, std = (torch.tensor(vae.config[name]).view(-1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
    with run.fast_arithmetic():
        return Statistics(mean, std).normalise(whole_clip.encode(vae, video).float()).half()


def covered() -> Tensor:
    """Which latent cells of every training scene its things cover, `[N, 1, 3, 8, 8]` bool."""
    cells: list[Tensor] = []
    for number in range(NUM_SCENES):
        things = scene_of(FIRST_SEED + number).things
        cover = torch.from_numpy(np.maximum.reduce([scenes.coverage(thing) for thing in things]))
        first, *later = F.max_pool2d(cover[:, None], 8)[:, 0].split([1, 4, 4])
        cells.append(torch.cat([first, *(part.amax(0, keepdim=True) for part in later)])[None] > 0.25)
    return torch.stack(cells)


def loss_of(family: DemoFamily, latents: Tensor, ids: Tensor, things: Tensor, step: int) -> Tensor:
    """The flow-matching loss of a step, noise levels shifted by `SHIFT`; some captions are left out, for guidance."""
    generator = torch.Generator().manual_seed(3_000_000 + step)
    rows = torch.randint(len(latents), (BATCH,), generator=generator)
    clean, words = latents[rows].float(), ids[rows].clone()
    words[torch.rand(BATCH, generator=generator) < PROMPT_DROPOUT] = encode([""])[0]
    u = (torch.randperm(BATCH, generator=generator) + torch.rand(BATCH, generator=generator)) / BATCH
    sigma = SHIFT * u / (1 + (SHIFT - 1) * u)
    noise = torch.randn(clean.shape, generator=generator)
    at = sigma.view(-1, 1, 1, 1, 1)
    with torch.no_grad():
        text = family.embed_text(words)
    with run.fast_arithmetic():
        velocity = family((1 - at) * clean + at * noise, sigma, text).float()
    weight = 1 + THING_WEIGHT * things[rows]
    return ((velocity - (noise - clean)).square() * weight).sum() / (weight.sum() * clean.shape[1])


def trained_layers(family: DemoFamily) -> dict[str, nn.Linear]:
    """The layers of the backbone that LoRAs change, by name; the rest is frozen."""
    family.requires_grad_(False)
    layers = {
        name: layer
        for name, layer in family.named_modules()
        if isinstance(layer, nn.Linear) and re.fullmatch(TARGETS, name)
    }
    for layer in layers.values():
        layer.weight.requires_grad_(True)
    return layers


def train(folder: Path, latents: Tensor, ids: Tensor, *, until: float) -> dict[str, Tensor]:
    """How much each trained layer's weights `[out, in]` change, by the layer's name. Raises: `run.OutOfTime` as `run.train`."""
    family = DemoFamily()
    restore_family(family, MODELS)
    layers = trained_layers(family)
    before = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    optimizer = run.Matrices(family, muon_lr=LEARNING_RATE, adamw_lr=0.0)
    things = covered()

    def loss(step: int) -> Tensor:
        return loss_of(family, latents, ids, things, step)

    average = run.train(
        family, optimizer, loss, num_steps=NUM_STEPS, checkpoint=folder / "captions.pt", until=until
    )
    return {name: average.weights[f"{name}.weight"] - weight for name, weight in before.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.captions", description=__doc__)
    parser.add_argument("folder", type=Path, help="where checkpoints go")
    parser.add_argument(
        "--minutes", type=float, default=1e6, help="stop after so many, to go on another time"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    until = time.monotonic() + 60 * options.minutes
    try:
        changes = train(options.folder, *encode_scenes(options.folder), until=until)
    except run.OutOfTime:
        log.info("the time is over: the same command goes on")
        return
    export.export_differences(changes, MODELS / "loras" / FILE)


if __name__ == "__main__":
    main()
