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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from reelpatch.edits.adapter.layout import POSITIONS_KEY, AdapterLayout
from reelpatch.headless.demo import scenes
from training import adapter_scenes, export, run, timed
from training.adapter_model import InContext
from training.adapter_scenes import FIRST_SEED, SHARD, Encoder, Scenes
from training.editor import CHANGED_WEIGHT, PROMPT_DROPOUT, levels
from training.model import DemoFamily
from training.restore import restore_family
from training.sentences import Texts, Wordings
from training.vae import shipped as shipped_vae

log = logging.getLogger("reelpatch.training")

MODELS = Path(scenes.__file__).parent / "models"
FILE = "reelpatch_demo_edit_adapter.safetensors"
FINISHED = MODELS / "diffusion_models" / FILE
# Of each step: clips by instruction and mask, clips with a picture, and pictures alone.
NUM_PLAIN, NUM_SHOWN, NUM_STILLS = 7, 3, 12
# Shards at the first step, and after how many steps another comes in: training begins before all is encoded.
FIRST_SHARDS, STEPS_FOR_A_SHARD = 6, 60
STYLE_WEIGHT = 2.0  # of a scene that is restyled: they are few, and all of the picture has to be right
ADAMW_LR = 1.5e-3
TIMED_LR, TIMED_DRAWS = 0.015, 9_000_000
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


Part = dict[str, Tensor]
"""Scenes of one form in a step: `clean`, `source`, `mask` `[B, 16, T, 8, 8]`, `text`, and `[B, 16, 1, 8, 8]` of a `reference` if they have one.

Once it is noised: `noise` too, of the clean latents' shape, and `sigma` `[B]`.
"""


class Batches:
    """What a step is trained on, by its number alone where scenes come in by it; `factor` times as many as on a CPU."""

    def __init__(self, scenes_at: Callable[[int], Scenes], texts: Texts, *, factor: int = 1) -> None:
        self._scenes_at, self._texts, self._factor = scenes_at, texts, factor
        self._scenes: Scenes | None = None

    def parts(self, step: int, generator: torch.Generator) -> list[Part]:
        known = self._scenes_at(step)
        if known is not self._scenes:
            self._scenes, self._wordings = known, Wordings(known.wordings, self._texts)
        shown, has_picture = known.has_reference, has_still_picture(step)
        stills = known.is_still & (shown == has_picture)
        return [
            self._part(~shown, NUM_PLAIN, 3, generator),
            self._part(shown, NUM_SHOWN, 3, generator, has_reference=True),
            self._part(stills, NUM_STILLS, 1, generator, has_reference=has_picture),
        ]

    def _part(
        self,
        chosen: Tensor,
        count: int,
        frames: int,
        generator: torch.Generator,
        *,
        has_reference: bool = False,
    ) -> Part:
        assert self._scenes is not None
        count *= self._factor
        weights = chosen * torch.where(self._scenes.is_style, STYLE_WEIGHT, 1.0)
        rows = torch.multinomial(weights, count, replacement=True, generator=generator)
        picks, dropped = (torch.rand(count, generator=generator, device=run.DEVICE) for _ in range(2))
        clean, source, mask = (
            latents[rows, :, :frames].float()
            for latents in (self._scenes.target, self._scenes.source, self._scenes.mask)
        )
        text = self._wordings.drawn(rows, picks, dropped < PROMPT_DROPOUT)
        part = {"clean": clean, "source": source, "mask": mask, "text": text}
        return {**part, "reference": self._scenes.reference[rows].float()} if has_reference else part


def has_still_picture(step: int) -> bool:
    """Pictures alone have a reference in every third step."""
    return step % 3 == 0


def noised(part: Part, generator: torch.Generator) -> Part:
    """A part with its noise and noise levels, spread evenly and shifted by `SHIFT`."""
    clean = part["clean"]
    sigma = levels(len(clean), generator)
    return {
        **part,
        "sigma": sigma,
        "noise": torch.randn(clean.shape, generator=generator, device=clean.device),
    }


def loss_on(model: InContext, parts: list[Part], changed_weight: float) -> Tensor:
    """The flow-matching loss on noised parts; latent cells that change weigh so much more."""
    total = weights = torch.zeros((), device=run.DEVICE)
    for part in parts:
        clean, noise, at = part["clean"], part["noise"], part["sigma"].view(-1, 1, 1, 1, 1)
        with run.fast_arithmetic():
            velocity = model(
                (1 - at) * clean + at * noise,
                part["sigma"],
                part["text"],
                part["source"],
                part["mask"],
                part.get("reference"),
            ).float()
        changed = (clean - part["source"]).abs().mean(dim=1, keepdim=True) > 0.25
        weight = 1 + changed_weight * changed
        total = total + ((velocity - (noise - clean)).square() * weight).sum()
        weights = weights + weight.sum() * clean.shape[1]
    return total / weights


@dataclass(frozen=True)
class Timed:
    """As `timed.Stage`; all cells weigh the same, for what weighs more where it changes makes a model change both of two things."""

    model: InContext
    batches: Batches

    def draw(self, step: int) -> timed.Draw:
        generator = torch.Generator(run.DEVICE).manual_seed(TIMED_DRAWS + step)
        parts = [noised(part, generator) for part in self.batches.parts(step, generator)]
        return ("with picture" if has_still_picture(step) else "without"), parts

    def loss(self, kind: str, parts: list[Part]) -> Tensor:  # noqa: ARG002 -- as `timed.Stage`
        return loss_on(self.model, parts, changed_weight=0.0)


class Adapter:
    """The adapter on the demo's base, as `start`, a finished file, has it, or as it begins; `tensors` are those of a file, fp32."""

    def __init__(self, positions: str, start: Path | None) -> None:
        family = DemoFamily()
        restore_family(family, MODELS)
        family.eval().to(run.DEVICE)
        self.texts = Texts(family.embed_text)
        torch.manual_seed(0)
        self._before = weights_of(family)
        layout = AdapterLayout.of({POSITIONS_KEY: positions}, "the training")
        self.model = InContext(family, layout).to(run.DEVICE)
        if start is not None:
            restore(self.model, load_file(start, device=str(run.DEVICE)))

    def optimizer(self, muon_lr: float) -> run.Matrices:
        return run.Matrices(self.model, muon_lr=muon_lr, adamw_lr=ADAMW_LR, adamw_names=NOT_MATRICES)

    def tensors(self, trained: dict[str, Tensor]) -> dict[str, Tensor]:
        return file_tensors(trained, self._before)


def train(
    folder: Path, learned: Round, *, until: float, positions: str = "aligned", start: Path | None = None
) -> dict[str, Tensor]:
    """The tensors of the adapter's file; `start` is a finished file that the training begins with. Raises: `run.OutOfTime` as `run.train`."""
    found = adapter_scenes.SceneFolder(folder, shipped_encoder, learned.scenes_seed)
    adapter = Adapter(positions, start)

    def scenes_at(step: int) -> Scenes:
        return found.first(min(learned.most_shards, FIRST_SHARDS + step // STEPS_FOR_A_SHARD))

    batches = Batches(scenes_at, adapter.texts)

    def loss_of(step: int) -> Tensor:
        generator = torch.Generator(run.DEVICE).manual_seed(learned.draws_seed + step)
        parts = batches.parts(step, generator)
        return loss_on(adapter.model, [noised(part, generator) for part in parts], CHANGED_WEIGHT)

    average = run.train(
        adapter.model,
        adapter.optimizer(learned.muon_lr),
        loss_of,
        num_steps=learned.num_steps,
        checkpoint=folder / "adapter.pt",
        until=until,
    )
    return adapter.tensors(average.weights)


def timed_scenes(folder: Path) -> adapter_scenes.SceneFolder:
    """The scenes of a training by time."""
    return adapter_scenes.SceneFolder(
        folder, shipped_encoder, adapter_scenes.TIMED_SEED, adapter_scenes.timed_scene_of
    )


def train_by_time(folder: Path, options: timed.Options, positions: str = "aligned") -> float:
    """As `timed.train`, from the finished file on; what comes of it goes into the folder that the options name."""
    adapter = Adapter(positions, FINISHED)
    arriving = timed.Arriving(timed_scenes(folder), ends_at=options.ends_at)
    batches = Batches(lambda _: arriving(), adapter.texts, factor=options.factor)
    return timed.train(
        adapter.model,
        adapter.optimizer(TIMED_LR * options.rate),
        Timed(adapter.model, batches),
        options,
        keep=lambda average: write(adapter.tensors(average.weights), options.out / FILE, positions),
    )


@cache
def shipped_encoder() -> Encoder:
    """By the VAE that comes along."""
    return Encoder(shipped_vae(MODELS))


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
    own = {name: tensor.bfloat16().cpu() for name, tensor in tensors.items()}
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
    timed.add_options(parser)
    options = parser.parse_args()
    if options.judge:
        from reelpatch.headless.demo.evaluate_in_context import (
            evaluate_in_context,
        )  # needs more than training

        report = evaluate_in_context(options.judge, compare_each=4)
        sys.stdout.write(f"{json.dumps(report.as_dict(), indent=1)}\n")
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    until = time.monotonic() + 60 * options.minutes
    if by_time := timed.Options.of(options):
        train_by_time(options.folder, by_time, options.positions)
        return
    learned, start = (further(options.further), FINISHED) if options.further else (FROM_THE_BASE, None)
    try:
        tensors = train(options.folder, learned, until=until, positions=options.positions, start=start)
    except run.OutOfTime:
        log.info("the time is over: the same command goes on")
        return
    write(tensors, FINISHED, options.positions)


if __name__ == "__main__":
    main()
