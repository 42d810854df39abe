"""The demo's clip, and masks, images and references made from it: `python -m workflows.demo_material`.

The long clip is a scene of its own. The edited frame is frame 0 with the red circle painted blue. The mask follows the red circle of the clip, with a margin; the references are two shapes on white, and a pink triangle whose colour is to be taken.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.long_clips import FIRST_SEED, long_scene
from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.shown_edits import CIRCLE, SCENE
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video

FOLDER = Path(__file__).parent
CLIP = "reelpatch_demo_clip.mp4"
LONG_CLIP, LONG_FRAMES = "reelpatch_demo_long_clip.mp4", 33
MASK_CLIP, MASK = "reelpatch_demo_mask.mp4", "reelpatch_demo_mask.png"
FIRST, LAST = "reelpatch_demo_first.png", "reelpatch_demo_last.png"
FIRST_EDITED = "reelpatch_demo_first_edited.png"
SUBJECT, OTHER_SUBJECT = "reelpatch_demo_subject.png", "reelpatch_demo_subject_2.png"
PLACE = "reelpatch_demo_place.png"
MARGIN_PX = 4
YELLOW, GREEN = (235, 218, 35), (40, 200, 70)


def red_thing(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mask `[F, H, W]`, 255 on what is red and a margin around it."""
    red, rest = frames[..., 0].astype(int), frames[..., 1:].max(axis=-1).astype(int)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MARGIN_PX + 1,) * 2)
    thing = ((red > 120) & (rest < 0.5 * red)).astype(np.uint8) * 255
    return np.stack([cv2.dilate(frame, disc) for frame in thing])


def write(folder: Path = FOLDER) -> None:
    """Writes all of it beside the clip."""
    write_video(Video(to_bytes(torch.from_numpy(scenes.render(SCENE))), Fraction(scenes.FPS)), folder / CLIP)
    clip = read_video(folder / CLIP, folder_fps=Fraction(scenes.FPS))
    mask = red_thing(clip.frames)
    write_video(Video(np.repeat(mask[..., None], 3, axis=-1), clip.fps), folder / MASK_CLIP)
    long, _ = long_scene(FIRST_SEED, LONG_FRAMES)
    write_video(Video(long, clip.fps), folder / LONG_CLIP)
    rows, columns = (np.flatnonzero(mask.any(axis=axes)) for axes in ((0, 2), (0, 1)))
    box = np.zeros_like(mask[0])
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 255
    Image.fromarray(box).save(folder / MASK, optimize=True)
    blue = to_bytes(torch.from_numpy(scenes.edited(SCENE, "recolour", "blue", CIRCLE)[0]))
    for name, frame in ((FIRST, clip.frames[0]), (LAST, clip.frames[-1]), (FIRST_EDITED, blue)):
        Image.fromarray(frame).save(folder / name, optimize=True)
    for name, picture in ((SUBJECT, _square()), (OTHER_SUBJECT, _triangle()), (PLACE, _sea())):
        Image.fromarray(picture).save(folder / name, optimize=True)


def _square() -> NDArray[np.uint8]:
    page = np.full((96, 96, 3), 255, np.uint8)
    page[24:72, 24:72] = YELLOW
    return page


def _triangle() -> NDArray[np.uint8]:
    page = np.full((96, 96, 3), 255, np.uint8)
    cv2.fillPoly(page, [np.array([[48, 20], [78, 72], [18, 72]], np.int32)], GREEN)
    return page


def _sea() -> NDArray[np.uint8]:
    triangle = scenes.Thing("triangle", "yellow", 12.0, (32.0, 34.0), (0.0, 0.0))
    return to_bytes(torch.from_numpy(scenes.render(scenes.Scene((triangle,), "ocean"))[0]))


if __name__ == "__main__":
    write()
