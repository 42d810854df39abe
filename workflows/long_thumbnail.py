"""The picture of the templates for long videos: frames of the demo's long clip above, of its edit in windows below."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

from PIL import Image

from reelpatch.headless.edit import EditRequest, run_edit
from reelpatch.media.video_io import read_video
from workflows.demo_material import FOLDER
from workflows.long_graph import INSTRUCTION, LONG_CLIP
from workflows.picture import captioned, strip

FRAMES = (0, 16, 32)


def long_thumbnail() -> Image.Image:
    """First, middle and last frame, before and after."""
    clip = FOLDER / LONG_CLIP
    with tempfile.TemporaryDirectory() as folder:
        edited = Path(folder) / "edited.mp4"
        run_edit(EditRequest(clip, INSTRUCTION, output=edited))
        strips = [
            strip(read_video(path, folder_fps=Fraction(1)).frames[list(FRAMES)]) for path in (clip, edited)
        ]
    return captioned(strips, f'"{INSTRUCTION}", 33 frames in 7 windows')
