"""`reelpatch demo`: real mp4 clips in, edited mp4 clips out, and pictures of what happened."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from reelpatch.errors import BadInput
from reelpatch.headless.demo import scenes, sheet
from reelpatch.headless.demo.judge import judge
from reelpatch.headless.demo.scenes import Example, Frames
from reelpatch.headless.runs.edit import run_edit
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.saving import saved_at
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.progress import OnProgress, silent

# Held-out scenes: kind, mask, number of things.
SHOWN = (
    ("recolour", "none", 1),
    ("recolour", "none", 2),
    ("recolour", "object", 2),
    ("remove", "none", 2),
    ("background", "none", 1),
    ("style", "none", 2),
    ("style", "half", 1),
    ("recolour", "time", 1),
)
FIRST_SEED = scenes.HELD_OUT + 1_000_000
SHEET_FRAMES = (0, 4, 8)
FILM_LOOPS = 4
_SHEET, _FILM = "contact_sheet.png", "demo.mp4"


@dataclass(frozen=True)
class _Clips:
    source: Path
    mask: Path | None
    result: Path


def run_demo(
    out: Path, evaluate: int, *, recipe: str = "demo", on_progress: OnProgress = silent
) -> dict[str, Any]:
    """Edit the shown clips into `out`; with `evaluate` > 0, also judge that many held-out scenes.

    `recipe` is `demo`, or `demo-in-context`, which is judged on masks in time, ramps and pictures as well.

    Returns what `--json` prints: the files, what was asked and whether it was done, seconds, and the report.
    """
    began = time.monotonic()
    _check_folder(out)
    (out / "clips").mkdir(parents=True, exist_ok=True)
    examples = [
        scenes.example(FIRST_SEED + i, kind=kind, mask_kind=mask, num_things=things)
        for i, (kind, mask, things) in enumerate(SHOWN)
    ]
    edits, shown = [], []
    for number, example in enumerate(examples):
        on_progress("editing the demo clips", number, len(examples))
        clips = _written(example, out / "clips", number)
        run_edit(
            EditRequest(
                clips.source,
                example.instruction,
                recipe=recipe,
                mask=clips.mask,
                seed=number,
                output=clips.result,
            )
        )
        source, result = _read(clips.source), _read(clips.result)
        hit = judge(example, (result / np.float32(255)).astype(np.float32)).hit
        edits.append({"clip": str(clips.source), "result": str(clips.result), **_asked(example), "done": hit})
        shown.append(sheet.Shown(_caption(example), (source, result, _bytes(example.target))))
    on_progress("editing the demo clips", len(examples), len(examples))
    pictures = _pictures(shown, out)
    report: dict[str, Any] = {"edits": edits, **pictures, "seconds": round(time.monotonic() - began, 2)}
    if evaluate:
        report["evaluation"] = _judged(recipe, evaluate, on_progress)
    return report


def _judged(recipe: str, num_scenes: int, on_progress: OnProgress) -> dict[str, Any]:
    if recipe == "demo":
        from reelpatch.headless.demo.evaluate import evaluate

        return evaluate(num_scenes, on_progress).as_dict()
    from reelpatch.headless.demo.evaluate_in_context import evaluate_in_context

    return evaluate_in_context(num_scenes, on_progress).as_dict()


def _check_folder(out: Path) -> None:
    """The demo replaces its own files; what has their names in a folder without its clips is somebody else's."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out} is a file, but the demo makes several: name a new folder (--out).")
    is_its_own = (out / "clips" / f"00_{SHOWN[0][0]}.mp4").exists()
    taken = next((path for path in (out / _FILM, out / _SHEET) if path.exists()), None)
    if taken is not None and not is_its_own:
        raise BadInput(f"{taken} is in the way and not of this demo: name a new folder (--out).")


def _asked(example: Example) -> dict[str, str]:
    return {"instruction": example.instruction, "kind": example.kind, "mask": example.mask_kind}


def _caption(example: Example) -> str:
    masks = {
        "none": "",
        "object": " (object mask)",
        "half": " (half of the frame)",
        "time": " (part of the time)",
    }
    return f'"{example.instruction}"{masks[example.mask_kind]}'


def _written(example: Example, folder: Path, number: int) -> _Clips:
    stem = f"{number:02d}_{example.kind}"
    source, mask = folder / f"{stem}.mp4", folder / f"{stem}_mask.mp4"
    write_video(_video(_bytes(example.source)), source)
    if example.mask_kind == "none":
        return _Clips(source, None, folder / f"{stem}_edited.mp4")
    write_video(_video(_bytes(np.repeat(example.mask[..., None], 3, axis=-1))), mask)
    return _Clips(source, mask, folder / f"{stem}_edited.mp4")


def _video(frames: sheet.Picture) -> Video:
    return Video(frames, Fraction(scenes.FPS))


def _bytes(clip: Frames) -> sheet.Picture:
    return (clip.clip(0, 1) * 255).round().astype(np.uint8)


def _read(path: Path) -> sheet.Picture:
    return np.asarray(read_video(path, folder_fps=Fraction(scenes.FPS)).frames)


def _pictures(shown: list[sheet.Shown], out: Path) -> dict[str, str]:
    page, film = out / _SHEET, out / _FILM
    with saved_at(page, "out") as part:
        sheet.contact_sheet(shown, frames=SHEET_FRAMES).save(part, format="PNG", optimize=True)
    write_video(_video(np.concatenate([sheet.film(shown)] * FILM_LOOPS)), film)
    return {"contact_sheet": str(page), "film": str(film)}
