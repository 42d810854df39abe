"""What the command line makes of a clip and its edited first frame, by the demo's weights: for ComfyUI to equal."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from reelpatch.headless.runs.edit import run_edit
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.video_io import read_video
from reelpatch.media.video_write import write_video
from workflows.demo_material import FOLDER as MATERIAL
from workflows.material_nodes import LONG_CLIP

FOLDER = "first_frame_reference"
INSTRUCTION, SEED, FRAMES = "make it sepia", 3, 17


def write(folder: Path) -> None:
    """A clip of three windows, its frame 0 in sepia, and its edit, all without loss, below `folder`."""
    place = folder / FOLDER
    place.mkdir()
    video = read_video(MATERIAL / LONG_CLIP, folder_fps=Fraction(1))
    frames = video.frames[:FRAMES]
    write_video(replace(video, frames=frames), place / "clip.mkv")
    gray = frames[0].mean(-1, keepdims=True)
    sepia = (gray * [1.0, 0.8, 0.55]).round().astype(np.uint8)
    Image.fromarray(sepia).save(place / "edited.png")
    run_edit(
        EditRequest(
            place / "clip.mkv",
            INSTRUCTION,
            first_frame=place / "edited.png",
            seed=SEED,
            output=place / "made.mkv",
        )
    )
