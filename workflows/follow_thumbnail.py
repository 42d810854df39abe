"""The pictures of the templates in which a clip follows its edited first frame: the clip above, what follows below.

Frame 0 of the lower row is the picture that the templates come with; the demo's weights made the others.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelpatch.headless.runs.edit import run_edit
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.video_io import read_video
from workflows.demo_material import FOLDER
from workflows.material_nodes import CLIP, FIRST_EDITED
from workflows.picture import captioned, strip

INSTRUCTION = "make the red circle blue"
# Of each template, the frames that are shown.
FRAMES = {
    "Demo - follow an edited picture": (0, 4, 8),
    "VDOT - follow an edited picture (4 steps)": (0, 1, 7),
}


def follow_thumbnail(name: str) -> Image.Image:
    """The clip, and what follows the picture."""
    clip, shown = FOLDER / CLIP, list(FRAMES[name])
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.mkv"
        run_edit(EditRequest(clip, INSTRUCTION, output=made, first_frame=FOLDER / FIRST_EDITED, seed=1))
        rows = [_row(path, shown) for path in (clip, made)]
    return captioned(rows, f'first frame given, "{INSTRUCTION}"')


def _row(path: Path, shown: list[int]) -> NDArray[np.uint8]:
    return strip(read_video(path, folder_fps=Fraction(1)).frames[shown])
