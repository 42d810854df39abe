"""The templates' pictures, from what Reelpatch's own demo made: frames of a clip above, of its edit below.

`reelpatch demo --out DIR`, then `python -m workflows.thumbnails DIR`, which makes those of the tasks as well. The caption says what the picture is: an edit by
the demo's tiny weights, and not by the weights that a Ditto template downloads.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

from PIL import Image

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.command import FIRST_SEED, SHOWN
from reelpatch.headless.editor import Editor
from reelpatch.media.video_io import read_video
from reelpatch.recipes import RECIPES
from workflows import task_thumbnails
from workflows.beside_nodes import MaskByWord, Several
from workflows.beside_thumbnail import beside_thumbnail
from workflows.demo_material import CLIP, PLACE
from workflows.describe import FOLDER, app_path
from workflows.enhance_thumbnail import enhance_thumbnail
from workflows.follow_thumbnail import follow_thumbnail
from workflows.long_thumbnail import long_enhance_thumbnail, long_thumbnail
from workflows.pair_thumbnail import pair_thumbnail
from workflows.picture import as_app, captioned, strip
from workflows.picture_thumbnail import picture_thumbnail
from workflows.templates import WORKFLOWS, Workflow
from workflows.track_nodes import FROM_A_MOMENT_ON
from workflows.track_thumbnail import track_thumbnail

FRAMES = (0, 4, 8)
# Which of the demo's clips a template shows: the one nearest to what it is for, each another.
CLIPS = {
    "Ditto - restyle a video (4 steps)": 5,
    "Ditto - style only (4 steps)": 6,
    "Ditto - to the real domain (4 steps)": 4,
    "Ditto - local edit (4 steps)": 2,
    "Ditto - as LoRA on a VACE module (4 steps)": 7,
    "Ditto - quality (50 steps)": 3,
    "Ditto - restyle as published (first frame 1, 73 frames, 24 fps)": 1,
}
# Of each template that edits a part of a clip with its source in sight, what the demo's weights are asked for.
OF_A_PART = {
    "VideoCoF - edit a video (4 steps)": "remove the red circle",
    "VideoCoF - edit a video (50 steps)": "remove the green square",
    "Bernini-R - edit a video (40 steps)": "make the background green",
    "Bernini-R 14B - edit a video (40 steps)": "change the background to a night sky",
    "EasyV2V - edit a video with your own adapter (50 steps)": "make the green square pink",
    "Capybara - edit a video (50 steps)": "change the background to the ocean",
    "ReCo - edit a video (50 steps)": "make the red circle yellow",
    "Wan - edit a video by two captions (50 steps)": "make the green square blue",
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


def own_thumbnail(instruction: str) -> Image.Image:
    """The picture of the template that opens with the demo's clip: that clip, and what its instruction makes of it."""
    clip = read_video(FOLDER / CLIP, folder_fps=Fraction(scenes.FPS)).frames
    edited = to_bytes(Editor(RECIPES["demo"]).edit(to_floats(clip), instruction, seed=1))
    return captioned([strip(frames[list(FRAMES)]) for frames in (clip, edited)], f'"{instruction}"')


def _picture(workflow: Workflow, folder: Path) -> Image.Image:
    if workflow.name in CLIPS:
        return thumbnail(folder, CLIPS[workflow.name])
    if workflow.is_picture:
        return picture_thumbnail(workflow.name)
    if workflow.is_pair:
        return pair_thumbnail(workflow.name)
    if workflow.recipe == "demo-in-context":
        return track_thumbnail(
            workflow.instruction,
            FROM_A_MOMENT_ON,
            "the background of a picture",
            recipe=workflow.recipe,
            reference=FOLDER / PLACE,
        )
    if workflow.is_of_a_part:
        return own_thumbnail(OF_A_PART[workflow.name])
    return _of_demo(workflow)


def _of_demo(workflow: Workflow) -> Image.Image:
    """The picture of a template that opens with one of the demo's own clips."""
    if isinstance(workflow.beside, (Several, MaskByWord)):
        return beside_thumbnail(workflow.beside)
    if workflow.track:
        words = workflow.name.partition(" - ")[2].split(" ", 1)[1]
        return track_thumbnail(workflow.instruction, workflow.track, words)
    if workflow.edited_frame:
        return follow_thumbnail(workflow.name)
    is_demo = workflow.recipe.startswith("demo")
    enhances = RECIPES[workflow.recipe].enhances
    if workflow.is_long and enhances:
        return long_enhance_thumbnail(seed=int(not is_demo))
    if workflow.is_long:
        return long_thumbnail("make it sepia" if is_demo else "make it grayscale")
    return enhance_thumbnail(seed=int(not is_demo)) if enhances else own_thumbnail(workflow.instruction)


def write(folder: Path) -> None:
    """Writes every workflow's picture beside it."""
    task_thumbnails.write()
    tasks = set(task_thumbnails.TEMPLATES)
    for workflow in (one for one in WORKFLOWS if one.name not in tasks):
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
