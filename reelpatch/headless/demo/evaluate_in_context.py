"""The demo's edit adapter judged on held-out scenes, beside doing nothing (the source) and the VAE's own ceiling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reelpatch.clips.finish import paste_back
from reelpatch.clips.frames import as_clip, as_video
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.context_judge import judge_in_context, progress
from reelpatch.headless.demo.context_scenes import Asked, ContextExample, context_example
from reelpatch.headless.demo.evaluate import GROUPS, numpy_of, rounded, time_of, values_changed
from reelpatch.headless.demo.judge import Verdict
from reelpatch.headless.editor import Editor
from reelpatch.measure.likeness import psnr
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import recipe

RECIPE = "demo-in-context"
ASKED: tuple[Asked, ...] = ("ramp", "window", "pointed", "reference")
"""Half of the scenes are drawn as those of the first family, the rest is an equal part of each of these."""
NUM_BLANK = 4  # scenes in which a blank mask is compared with none


def _is(asked: Asked, kind: str = "") -> Callable[[ContextExample], bool]:
    return lambda one: one.asked == asked and one.example.kind.startswith(kind)


def _plain(name: str) -> Callable[[ContextExample], bool]:
    return lambda one: one.asked == "plain" and GROUPS[name](one.example)


CONTEXT_GROUPS: dict[str, Callable[[ContextExample], bool]] = {
    **{name: _plain(name) for name in GROUPS},
    "ramp, any edit": _is("ramp"),
    "some frames, any edit": _is("window"),
    "'it', by its mask": _is("pointed"),
    "colour of a picture": _is("reference", "recolour"),
    "background of a picture": _is("reference", "background"),
}


@dataclass(frozen=True)
class ContextOutcome:
    """One scene: the verdicts on the edit, on the source handed back, and on the truth through the VAE where it was looked at.

    `off_ramp` is by how much the frames within a ramp are on the average off the mask's share of the edit.
    """

    one: ContextExample
    edit: Verdict
    copy: Verdict
    ceiling: Verdict | None
    seconds: float
    truth_psnr_db: float
    kept_values_changed: int
    off_ramp: float | None = None


@dataclass
class ContextReport:
    """What `reelpatch demo --recipe demo-in-context --evaluate` prints."""

    outcomes: list[ContextOutcome]
    blank_masks_equal: bool

    def as_dict(self) -> dict[str, Any]:
        """In plain types: rates in 0..1, PSNR in dB, seconds for one clip; `null` where nothing was measured."""
        groups = {
            name: self._row([o for o in self.outcomes if belongs(o.one)])
            for name, belongs in CONTEXT_GROUPS.items()
        }
        return {
            "scenes": len(self.outcomes),
            "first_seed": self.outcomes[0].one.example.seed,
            "edits": groups | {"all": self._row(self.outcomes)},
            "off_ramp": rounded([o.off_ramp for o in self.outcomes if o.off_ramp is not None], 3),
            "no_mask_equals_blank_mask": self.blank_masks_equal,
            "kept_8bit_values_changed": sum(o.kept_values_changed for o in self.outcomes),
            "seconds_per_clip": round(median(o.seconds for o in self.outcomes), 3),
        }

    @staticmethod
    def _row(outcomes: list[ContextOutcome]) -> dict[str, Any]:
        hues = [o.edit.hue_error_deg for o in outcomes if o.edit.hue_error_deg is not None]
        return {
            "n": len(outcomes),
            "hit_rate": rounded([float(o.edit.hit) for o in outcomes], 3),
            "copy_source": rounded([float(o.copy.hit) for o in outcomes], 3),
            "vae_ceiling": rounded([float(o.ceiling.hit) for o in outcomes if o.ceiling], 3),
            "hue_error_deg": rounded(hues, 1),
            "psnr_db_to_truth": rounded([o.truth_psnr_db for o in outcomes]),
        }


def held_out(num_scenes: int) -> Iterator[ContextExample]:
    """So many held-out scenes; the first half has the seeds that the first family is judged on."""
    num_plain = num_scenes - len(ASKED) * (num_scenes // (2 * len(ASKED)))
    for number in range(num_plain):
        yield context_example(scenes.HELD_OUT + number, "plain")
    for place, asked in enumerate(ASKED, start=1):
        for number in range(num_scenes // (2 * len(ASKED))):
            yield context_example(scenes.HELD_OUT + place * 100_000 + number, asked)


def evaluate_in_context(
    num_scenes: int, on_progress: OnProgress = silent, *, compare_each: int = 1
) -> ContextReport:
    """Edit held-out scenes.

    One of `compare_each` has its truth sent through the VAE and, among the first `NUM_BLANK`, a blank mask compared with none.
    """
    # Merged, the adapter's differences are added once and not at every step.
    editor = Editor(recipe(RECIPE), merge_loras=True)
    chosen = list(held_out(num_scenes))
    outcomes: list[ContextOutcome] = []
    for number, one in enumerate(chosen):
        on_progress("editing held-out scenes in context", number, len(chosen))
        outcomes.append(_outcome(editor, one, is_compared=number % compare_each == 0))
    on_progress("editing held-out scenes in context", len(chosen), len(chosen))
    blank = chosen[:NUM_BLANK:compare_each]
    return ContextReport(outcomes, all(_is_blank_equal(editor, one) for one in blank))


def edited_in_context(editor: Editor, one: ContextExample) -> Tensor:
    """The finished edit, `[F, H, W, 3]`."""
    return editor.edit(
        torch.from_numpy(one.source),
        one.example.instruction,
        mask=None if one.mask is None else torch.from_numpy(one.mask),
        references=[] if one.reference is None else [torch.from_numpy(one.reference)],
        seed=one.example.seed,
    )


def _outcome(editor: Editor, one: ContextExample, *, is_compared: bool) -> ContextOutcome:
    finished, seconds = time_of(lambda: edited_in_context(editor, one))
    result, target = numpy_of(finished), torch.from_numpy(one.example.target)
    kept = 0 if one.mask is None else values_changed(result, one.source, one.mask == 0)
    between = (one.example.mask > 0) & (one.example.mask < 1)
    frames = between.any(axis=(1, 2)) if one.asked == "ramp" else np.zeros(len(between), np.bool_)
    off = np.abs(progress(one, result) - one.example.mask.mean(axis=(1, 2)))[frames]
    return ContextOutcome(
        one=one,
        edit=judge_in_context(one, result),
        copy=judge_in_context(one, one.example.source),
        ceiling=_ceiling(editor, one) if is_compared else None,
        seconds=seconds,
        truth_psnr_db=psnr(finished, target),
        kept_values_changed=kept,
        off_ramp=float(off.mean()) if off.size else None,
    )


def _ceiling(editor: Editor, one: ContextExample) -> Verdict:
    again = as_clip(editor.vae.decode(editor.vae.encode(as_video(torch.from_numpy(one.example.target)))))
    if one.mask is not None:
        again = paste_back(again, torch.from_numpy(one.source), torch.from_numpy(one.mask))
    return judge_in_context(one, numpy_of(again))


def _is_blank_equal(editor: Editor, one: ContextExample) -> bool:
    """Whether a mask that is 0 everywhere is no mask."""
    clip, words = torch.from_numpy(one.example.source), one.example.instruction
    blank = torch.zeros(clip.shape[:3])
    return torch.equal(*(editor.render(clip, words, mask=mask, seed=1) for mask in (None, blank)))
