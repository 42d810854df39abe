"""The pictures of the templates with a mask track: the demo's clip, where and when, and what the demo's weights make of it."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.render import TrackRenderer
from reelpatch.clips.mask_track.text import read_track
from reelpatch.headless.demo.scenes import FPS
from reelpatch.headless.runs.edit import run_edit
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.video_io import read_video
from workflows.demo_material import CLIP, FOLDER
from workflows.picture import captioned, strip

FRAMES = [0, 4, 8]


def track_thumbnail(
    instruction: str, track: str, words: str, *, recipe: str = "demo", reference: Path | None = None
) -> Image.Image:
    """First, middle and last frame of the clip with its mask over it, and of the edit."""
    clip = read_video(FOLDER / CLIP, folder_fps=Fraction(FPS)).frames
    renderer = TrackRenderer(read_track(track), clip.shape[1:3], Moments(len(clip), Fraction(FPS)))
    mask = renderer.part(0, len(clip))[..., None]
    marked = mask.new_tensor(clip / 255) * (1 - mask / 2) + mask.new_tensor((1.0, 0.16, 0.31)) * mask / 2
    with tempfile.TemporaryDirectory() as folder:
        where, edited = Path(folder) / "track.json", Path(folder) / "edited.mp4"
        where.write_text(track, encoding="utf-8")
        references = () if reference is None else (reference,)
        run_edit(
            EditRequest(
                FOLDER / CLIP, instruction, output=edited, mask=where, recipe=recipe, references=references
            )
        )
        made = read_video(edited, folder_fps=Fraction(FPS)).frames
    strips = [strip(np.asarray(frames)[FRAMES]) for frames in (to_bytes(marked), made)]
    return captioned(strips, f'"{instruction}", {words}')
