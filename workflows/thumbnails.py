"""The templates' pictures, from what Reelpatch's own demo made: frames of a clip above, of its edit below.

`reelpatch demo --out DIR`, then `python -m workflows.thumbnails DIR`, which makes those of the tasks as well. The caption says what the picture is: an edit by
the demo's tiny weights, and not by the weights that a Ditto template downloads.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

from PIL import Image

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.command import FIRST_SEED, SHOWN
from reelpatch.media.video_io import read_video
from reelpatch.recipes import RECIPES
from workflows import task_thumbnails
from workflows.describe import FOLDER, app_path
from workflows.enhance_thumbnail import enhance_thumbnail
from workflows.long_thumbnail import long_enhance_thumbnail, long_thumbnail
from workflows.picture import as_app, captioned, strip
from workflows.templates import WORKFLOWS, Workflow

FRAMES = (0, 4, 8)
# Which of the demo's clips a template shows: the one nearest to what it is for.
CLIPS = {
    "Demo - edit on any machine": 0,
    "Ditto - restyle a video (4 steps)": 4,
    "Ditto - style only (4 steps)": 5,
    "Ditto - to the real domain (4 steps)": 4,
    "Ditto - local edit (4 steps)": 2,
    "Ditto - as LoRA on a VACE module (4 steps)": 7,
    "Ditto - quality (50 steps)": 0,
    "Ditto - restyle as published (first frame 1, 73 frames, 24 fps)": 1,
}


def thumbnail(folder: Path, number: int) -> Image.Image:
    """The picture of the demo's clip of that number; `folder` is what `reelpatch demo` wrote."""
    kind, mask, num_things = SHOWN[number]
    instruction = scenes.example(
        FIRST_SEED + number, kind=kind, mask_kind=mask, num_things=num_things
    ).instruction
    stem = folder / "clips" / f"{number:02d}_{kind}"
    paths = (Path(f"{stem}.mp4"), Path(f"{stem}_edited.mp4"))
    clips = [read_video(path, folder_fps=Fraction(scenes.FPS)).frames for path in paths]
    masked = "" if mask == "none" else ", masked"
    return captioned([strip(clip[list(FRAMES)]) for clip in clips], f'"{instruction}"{masked}')


def _picture(workflow: Workflow, folder: Path) -> Image.Image:
    if workflow.name in CLIPS:
        return thumbnail(folder, CLIPS[workflow.name])
    if not workflow.is_long:
        return enhance_thumbnail()
    return long_enhance_thumbnail() if RECIPES[workflow.recipe].enhances else long_thumbnail()


def write(folder: Path) -> None:
    """Writes every workflow's picture beside it."""
    task_thumbnails.write()
    for workflow in (one for one in WORKFLOWS if one.prepare is None):
        path = FOLDER / f"{workflow.name}.jpg"
        _save(_picture(workflow, folder), path)
    write_apps()


def write_apps() -> None:
    """Writes the picture of every app: its template's, marked."""
    for workflow in (one for one in WORKFLOWS if one.is_app):
        with Image.open(FOLDER / f"{workflow.name}.jpg") as picture:
            _save(as_app(picture), app_path(workflow).with_suffix(".jpg"))


def _save(picture: Image.Image, path: Path) -> None:
    part = path.with_suffix(".part")
    picture.save(part, format="JPEG", quality=88, optimize=True)
    part.replace(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what `reelpatch demo --out` wrote")
    write(parser.parse_args().folder)
