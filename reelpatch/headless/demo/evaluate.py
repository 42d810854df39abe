"""The demo family judged on held-out scenes, beside doing nothing (the source) and the VAE's own ceiling."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any, TypeVar

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from numpy.typing import NDArray
from torch import Tensor

from reelpatch.clips.finish import paste_back
from reelpatch.clips.frames import as_clip, as_video
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import Verdict, judge
from reelpatch.headless.demo.scenes import Example, Frames
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.wan_vae import Vae, load_vae
from reelpatch.measure.likeness import psnr
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe, recipe

Made = TypeVar("Made")
FP8_BACKBONE = "reelpatch_demo_t2v_fp8_e4m3fn.safetensors"
GROUPS: dict[str, Callable[[Example], bool]] = {
    "recolour, one object": lambda e: e.kind == "recolour" and e.num_things == 1 and e.mask_kind != "time",
    "recolour, two objects": lambda e: e.kind == "recolour" and e.num_things == 2 and e.mask_kind != "time",
    "remove": lambda e: e.kind == "remove" and e.mask_kind != "time",
    "background": lambda e: e.kind == "background" and e.mask_kind != "time",
    "style": lambda e: e.kind == "style" and e.mask_kind != "time",
    "time mask, any edit": lambda e: e.mask_kind == "time",
}


@dataclass(frozen=True)
class Compared:
    """One scene: the verdicts on the truth through the VAE, which no edit can do better than, and on the edit by the fp8 base."""

    ceiling: Verdict
    vae_psnr_db: float
    fp8: Verdict


@dataclass(frozen=True)
class Outcome:
    """One scene: the verdicts on the edit and on the source handed back; `compared`, where it was, is that with others."""

    example: Example
    edit: Verdict
    copy: Verdict
    seconds: float
    truth_psnr_db: float
    kept_psnr_db: float | None  # outside the mask, before the source is pasted back; None without a mask
    kept_values_changed: int  # 8-bit values outside the mask that differ from the source in the finished clip
    compared: Compared | None = None


@dataclass
class Report:
    """What `reelpatch demo --evaluate` prints."""

    outcomes: list[Outcome]

    def as_dict(self) -> dict[str, Any]:
        """In plain types: rates in 0..1, PSNR in dB, seconds for one clip; `null` where nothing was measured."""
        groups = {
            name: self._row([o for o in self.outcomes if belongs(o.example)])
            for name, belongs in GROUPS.items()
        }
        compared = [o.compared for o in self.outcomes if o.compared]
        kept = [o.kept_psnr_db for o in self.outcomes if o.kept_psnr_db is not None]
        return {
            "scenes": len(self.outcomes),
            "first_seed": self.outcomes[0].example.seed,
            "edits": groups | {"all": self._row(self.outcomes)},
            "vae_psnr_db": rounded([one.vae_psnr_db for one in compared]),
            "kept_pixels_psnr_db_before_paste_back": rounded(kept),
            "kept_8bit_values_changed": sum(o.kept_values_changed for o in self.outcomes),
            "hit_rate_fp8": rounded([float(one.fp8.hit) for one in compared], 3),
            "seconds_per_clip": round(median(o.seconds for o in self.outcomes), 3),
        }

    @staticmethod
    def _row(outcomes: list[Outcome]) -> dict[str, Any]:
        hues = [o.edit.hue_error_deg for o in outcomes if o.edit.hue_error_deg is not None]
        return {
            "n": len(outcomes),
            "hit_rate": rounded([float(o.edit.hit) for o in outcomes], 3),
            "copy_source": rounded([float(o.copy.hit) for o in outcomes], 3),
            "vae_ceiling": rounded([float(o.compared.ceiling.hit) for o in outcomes if o.compared], 3),
            "hue_error_deg": rounded(hues, 1),
            "psnr_db_to_truth": rounded([o.truth_psnr_db for o in outcomes]),
        }


def evaluate(num_scenes: int, on_progress: OnProgress = silent, *, compare_each: int = 1) -> Report:
    """Edit `num_scenes` held-out scenes with the bf16 base.

    One of `compare_each` scenes is also edited with the fp8 base, and its truth goes through the VAE.
    """
    settings = recipe("demo")
    vae = _OnceEncoding(load_vae(Editor(settings).files.vae).model)
    editor, small = (_Judged(each, vae) for each in (settings, with_backbone(settings, FP8_BACKBONE)))
    report = Report([])
    for number in range(num_scenes):
        on_progress("editing held-out scenes", number, num_scenes)
        vae.forget()
        example = scenes.example(scenes.HELD_OUT + number)
        outcome = _outcome(editor, example)
        if number % compare_each == 0:
            outcome = replace(outcome, compared=_compared(small, vae, example))
        report.outcomes.append(outcome)
    on_progress("editing held-out scenes", num_scenes, num_scenes)
    return report


class _OnceEncoding(Vae):
    """A VAE that gives the same latents again for frames it has encoded: both bases are shown the same context."""

    def __init__(self, model: AutoencoderKLWan) -> None:
        super().__init__(model)
        self._kept: dict[bytes, Tensor] = {}

    def forget(self) -> None:
        self._kept.clear()

    def encode(self, video: Tensor) -> Tensor:
        frames = video.numpy().tobytes()
        if frames not in self._kept:
            self._kept[frames] = super().encode(video)
        return self._kept[frames].clone()


class _Judged(Editor):
    """An editor with a VAE that is there already."""

    def __init__(self, settings: Recipe, vae: Vae) -> None:
        super().__init__(settings)
        self._vae = vae


def with_backbone(settings: Recipe, name: str) -> Recipe:
    """The recipe with one certain backbone file among those it accepts."""
    chosen = [replace(f, names=(name,)) if f.role == "backbone" else f for f in settings.files]
    return replace(settings, files=tuple(chosen))


def mask_of(example: Example) -> Tensor | None:
    """The scene's mask, None where everything may change."""
    return None if example.mask_kind == "none" else torch.from_numpy(example.mask)


def _edited(editor: Editor, example: Example) -> tuple[Tensor, Tensor]:
    """The edit as decoded, and with the source pasted back outside the mask."""
    source, mask = torch.from_numpy(example.source), mask_of(example)
    rendered = editor.render(source, example.instruction, mask=mask, seed=example.seed)
    return rendered, rendered if mask is None else paste_back(rendered, source, mask)


def _compared(editor: Editor, vae: Vae, example: Example) -> Compared:
    source, target = torch.from_numpy(example.source), torch.from_numpy(example.target)
    mask = mask_of(example)
    again = as_clip(vae.decode(vae.encode(as_video(target))))
    ceiling = again if mask is None else paste_back(again, source, mask)
    _, finished = _edited(editor, example)
    fp8 = judge(example, numpy_of(finished))
    return Compared(judge(example, numpy_of(ceiling)), psnr(again, target), fp8)


def _outcome(editor: Editor, example: Example) -> Outcome:
    (rendered, finished), seconds = time_of(lambda: _edited(editor, example))
    source, target, mask = (
        torch.from_numpy(example.source),
        torch.from_numpy(example.target),
        mask_of(example),
    )
    kept = None if mask is None else mask < 0.5
    return Outcome(
        example=example,
        edit=judge(example, numpy_of(finished)),
        copy=judge(example, example.source),
        seconds=seconds,
        truth_psnr_db=psnr(finished, target),
        kept_psnr_db=None if kept is None else psnr(rendered, source, kept),
        kept_values_changed=0
        if kept is None
        else values_changed(numpy_of(finished), example.source, kept.numpy()),
    )


def values_changed(finished: Frames, source: Frames, where: NDArray[np.bool_]) -> int:
    """How many 8-bit values differ in pixels chosen by `where` `[F, H, W]`."""
    ours, theirs = ((clip.clip(0, 1) * 255).round().astype(np.uint8) for clip in (finished, source))
    return int((ours != theirs)[where].sum())


def time_of(work: Callable[[], Made]) -> tuple[Made, float]:
    """What the work returns, and the seconds that it took."""
    began = time.monotonic()
    return work(), time.monotonic() - began


def numpy_of(clip: Tensor) -> Frames:
    """A clip as the judge looks at it."""
    return clip.numpy().astype(np.float32)


def rounded(values: list[float], digits: int = 2) -> float | None:
    """The mean of those that are finite, None where there are none."""
    finite = [value for value in values if math.isfinite(value)]
    return round(fmean(finite), digits) if finite else None
