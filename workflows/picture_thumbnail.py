"""The pictures of the templates that edit pictures: a still of the demo's, before and after.

There are no tiny weights for pictures: the demo's for clips edit the still as a clip in which nothing moves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.headless.editor import Editor
from reelpatch.recipes import RECIPES
from workflows.material_nodes import FIRST
from workflows.picture import captioned, strip

FOLDER = Path(__file__).parent
FRAMES = 9
# Of each template, what the demo's weights are asked for: they know few things.
INSTRUCTIONS = {
    "ChronoEdit - edit a picture (8 steps)": "make the red circle blue",
    "ChronoEdit - edit a picture by reasoning (50 steps)": "remove the red circle",
}


def picture_thumbnail(name: str) -> Image.Image:
    """The still, and its edit beside it."""
    still = np.asarray(Image.open(FOLDER / FIRST).convert("RGB"))
    clip = to_floats(np.repeat(still[None], FRAMES, axis=0))
    instruction = INSTRUCTIONS[name]
    edited = to_bytes(Editor(RECIPES["demo"]).edit(clip, instruction, seed=1))
    frames = np.stack([still, edited[-1]]).repeat(2, axis=1).repeat(2, axis=2)
    return captioned([strip(frames)], f'a picture, and "{instruction}"')
