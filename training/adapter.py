"""An edit adapter of EasyV2V's layout on the demo's finished base: `python -m training.adapter FOLDER`.

With `--further N`, in a folder of its own, the finished adapter learns from further scenes, others for each N. It goes on where it was stopped; with
`--minutes` it stops by itself. `--judge N` judges the finished file on N held-out scenes.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from reelpatch.edits.adapter.layout import POSITIONS_KEY, AdapterLayout
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.evaluate_in_context import evaluate_in_context
from training import adapter_scenes, export, run
from training.adapter_model import InContext
from training.adapter_scenes import FIRST_SEED, SHARD, Encoder, Scenes
from training.editor import CHANGED_WEIGHT, PROMPT_DROPOUT, SHIFT
from training.model import DemoFamily
from training.restore import restore_family, restore_vae
from training.vae import build as build_vae
from training.words import encode

log = logging.getLogger("reelpatch.training")

MODELS = Path(scenes.__file__).parent / "models"
FILE = "reelpatch_demo_edit_adapter.safetensors"
# Of each step: clips by instruction and mask, clips with a picture, and pictures alone.
NUM_PLAIN, NUM_SHOWN, NUM_STILLS = 7, 3, 12
# Shards at the first step, and after how many steps another comes in: training begins before all is encoded.
FIRST_SHARDS, STEPS_FOR_A_SHARD = 6, 60
STYLE_WEIGHT = 2.0  # of a scene that is restyled: they are few, and all of the picture has to be right
ADAMW_LR = 1.5e-3
NOT_MATRICES = ("modulation", "embedding.weight")


@dataclass(frozen=True)
class Round:
    """One training of the adapter: steps, shards of scenes, learning rate of its matrices, seeds of scenes and of draws."""

    num_steps: int
    most_shards: int
    muon_lr: float
    scenes_seed: int
    draws_seed: int


FROM_THE_BASE = Round(2800, 8, 0.02, FIRST_SEED, 4_000_000)


def further(number: int) -> Round:
    """The training of that number after the first, from 1 on."""
    return Round(2600, 14, 0.012, FIRST_SEED + 100 * number * SHARD, 5_000_000 + 1_000_000 * number)


@dataclass(frozen=True)
class Part:
    """Scenes of one form in a step: `[B, 16, T, 8, 8]` each, the reference `[B, 16, 1, 8, 8]` or None."""

    clean: Tensor
    source: Tensor
    mask: Tensor
    reference: Tensor | None
    text: Tensor


class Batches:
    """What a step is trained on, by its number alone; scenes come in as it goes."""

    def __init__(self, family: DemoFamily, encoder: Encoder, folder: Path, learned: Round) -> None:
        self._family, self._encoder, self._folder, self._learned = family, encoder, folder, learned
        self._scenes: Scenes | None = None
        self._texts: dict[str, Tensor] = {}

    def parts(self, step: int, generator: torch.Generator) -> list[Part]:
        all_scenes = self._known(min(self._learned.most_shards, FIRST_SHARDS + step // STEPS_FOR_A_SHARD))
        shown, still = all_scenes.has_reference, all_scenes.is_still
        # Pictures alone have a reference in every third step.
        has_picture = step % 3 == 0
        return [
            self._part(~shown, NUM_PLAIN, 3, generator),
            self._part(shown, NUM_SHOWN, 3, generator),
            self._part(still & (shown == has_picture), NUM_STILLS, 1, generator),
        ]

    def _known(self, num_shards: int) -> Scenes:
        if self._scenes is None or len(self._scenes.wordings) != num_shards * SHARD:
            self._scenes = adapter_scenes.load(
                self._folder, self._encoder, num_shards, self._learned.scenes_seed
            )
        return self._scenes

    def _part(self, chosen: Tensor, count: int, frames: int, generator: torch.Generator) -> Part:
        assert self._scenes is not None
        weights = chosen * torch.where(self._scenes.is_style, STYLE_WEIGHT, 1.0)
        rows = torch.multinomial(weights, count, replacement=True, generator=generator)
        picks = torch.rand(count, generator=generator).tolist()
        dropped = torch.rand(count, generator=generator) < PROMPT_DROPOUT
        sentences = [
            "" if drop else self._scenes.wordings[row][int(pick * len(self._scenes.wordings[row]))]
            for row, pick, drop in zip(rows.tolist(), picks, dropped, strict=True)
        ]
        reference = self._scenes.reference[rows].float() if self._scenes.has_reference[rows[0]] else None
        clean, source, mask = (
            latents[rows, :, :frames].float()
            for latents in (self._scenes.target, self._scenes.source, self._scenes.mask)
        )
        return Part(clean, source, mask, reference, self._embedded(sentences))

    @torch.no_grad()
    def _embedded(self, sentences: list[str]) -> Tensor:
        new = sorted(set(sentences) - self._texts.keys())
        if new:
            self._texts |= dict(zip(new, self._family.embed_text(encode(new)), strict=True))
        return torch.stack([self._texts[sentence] for sentence in sentences])


def loss_of(model: InContext, batches: Batches, step: int, draws_seed: int) -> Tensor:
    """The flow-matching loss of a step, noise levels shifted by `SHIFT`; latent cells that change weigh more."""
    generator = torch.Generator().manual_seed(draws_seed + step)
    total, weights = torch.zeros(()), torch.zeros(())
    for part in batches.parts(step, generator):
        count = len(part.clean)
        u = (torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)) / count
        sigma = SHIFT * u / (1 + (SHIFT - 1) * u)
        noise, at = torch.randn(part.clean.shape, generator=generator), sigma.view(-1, 1, 1, 1, 1)
        with run.fast_arithmetic():
            velocity = model(
                (1 - at) * part.clean + at * noise, sigma, part.text, part.source, part.mask, part.reference
            ).float()
        changed = (part.clean - part.source).abs().mean(dim=1, keepdim=True) > 0.25
        weight = 1 + CHANGED_WEIGHT * changed
        total = total + ((velocity - (noise - part.clean)).square() * weight).sum()
        weights = weights + weight.sum() * part.clean.shape[1]
    return total / weights


def train(
    folder: Path, learned: Round, *, until: float, positions: str = "aligned", start: Path | None = None
) -> dict[str, Tensor]:
    """The tensors of the adapter's file, fp32; `start` is a finished file that the training begins with. Raises: `run.OutOfTime` as `run.train`."""
    family = DemoFamily()
    restore_family(family, MODELS)
    vae = build_vae()
    restore_vae(vae, MODELS)
    batches = Batches(family.eval(), Encoder(vae), folder, learned)
    torch.manual_seed(0)
    before = weights_of(family)
    model = InContext(family, AdapterLayout.of({POSITIONS_KEY: positions}, "the training"))
    if start is not None:
        restore(model, load_file(start))
    optimizer = run.Matrices(model, muon_lr=learned.muon_lr, adamw_lr=ADAMW_LR, adamw_names=NOT_MATRICES)
    average = run.train(
        model,
        optimizer,
        lambda step: loss_of(model, batches, step, learned.draws_seed),
        num_steps=learned.num_steps,
        checkpoint=folder / "adapter.pt",
        until=until,
    )
    return file_tensors(average.weights, before)


def weights_of(family: DemoFamily) -> dict[str, Tensor]:
    """A copy of the base's weights that are trained, by native name."""
    return {name: weight.detach().clone() for name, weight in family.blocks.named_parameters(prefix="blocks")}


ENDINGS = {"weight": "diff", "bias": "diff_b", "modulation": "diff_m"}


def restore(model: InContext, tensors: dict[str, Tensor]) -> None:
    """Puts an adapter's file on the base: the inverse of `file_tensors`."""
    parameters = {ending: parameter for parameter, ending in ENDINGS.items()}
    own = dict(model.family.named_parameters())
    embeddings = {
        name: tensor.float() for name, tensor in tensors.items() if not name.startswith("diffusion_model.")
    }
    model.adapter.load_state_dict(embeddings)
    with torch.no_grad():
        for name, tensor in tensors.items():
            if name.startswith("diffusion_model."):
                layer, _, ending = name.removeprefix("diffusion_model.").rpartition(".")
                own[f"{layer}.{parameters[ending]}"] += tensor.float()


def file_tensors(trained: dict[str, Tensor], before: dict[str, Tensor]) -> dict[str, Tensor]:
    """Trained weights as an edit adapter's file has them: its embeddings, and what changes in the backbone."""
    tensors: dict[str, Tensor] = {}
    for name, weight in trained.items():
        place, _, own = name.partition(".")
        if place == "adapter":
            tensors[own] = weight
            continue
        layer, _, parameter = own.rpartition(".")
        tensors[f"diffusion_model.{layer}.{ENDINGS[parameter]}"] = weight - before[own]
    return tensors


def write(tensors: dict[str, Tensor], path: Path, positions: str) -> None:
    """The adapter's file, bf16."""
    own = {name: tensor.bfloat16() for name, tensor in tensors.items()}
    export.write(own, path, **{POSITIONS_KEY: positions})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.adapter", description=__doc__)
    parser.add_argument("folder", type=Path, help="where checkpoints go")
    parser.add_argument(
        "--minutes", type=float, default=1e6, help="stop after so many, to go on another time"
    )
    parser.add_argument(
        "--further",
        type=int,
        default=0,
        metavar="N",
        help="go on from the finished adapter, with other scenes",
    )
    parser.add_argument("--positions", choices=("sequence", "aligned"), default="aligned")
    parser.add_argument(
        "--judge", type=int, default=0, metavar="N", help="train nothing, judge what there is"
    )
    options = parser.parse_args()
    if options.judge:
        report = evaluate_in_context(options.judge, compare_each=4)
        sys.stdout.write(f"{json.dumps(report.as_dict(), indent=1)}\n")
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    until = time.monotonic() + 60 * options.minutes
    finished = MODELS / "diffusion_models" / FILE
    learned, start = (further(options.further), finished) if options.further else (FROM_THE_BASE, None)
    try:
        tensors = train(options.folder, learned, until=until, positions=options.positions, start=start)
    except run.OutOfTime:
        log.info("the time is over: the same command goes on")
        return
    write(tensors, finished, options.positions)


if __name__ == "__main__":
    main()
