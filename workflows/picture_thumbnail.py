"""The pictures of the templates that edit pictures: a still of the demo's, before and after, by the demo's weights for pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.recipes import RECIPES
from workflows.material_nodes import FIRST
from workflows.picture import captioned, strip

FOLDER = Path(__file__).parent
# Of each template, what the demo's weights are asked for: they know few things.
INSTRUCTIONS = {
    "ChronoEdit - edit a picture (8 steps)": "make the red circle blue",
    "ChronoEdit - edit a picture by reasoning (50 steps)": "remove the red circle",
    "Demo - edit a picture on any machine": RECIPES["demo-picture"].examples[2],
}


def picture_thumbnail(name: str) -> Image.Image:
    """The still, and its edit beside it."""
    still = np.asarray(Image.open(FOLDER / FIRST).convert("RGB"))
    instruction = INSTRUCTIONS[name]
    edited = PictureEditor(RECIPES["demo-picture"]).edit(to_floats(still), instruction, seed=1).picture
    frames = np.stack([still, to_bytes(edited)]).repeat(2, axis=1).repeat(2, axis=2)
    return captioned([strip(frames)], f'a picture, and "{instruction}"')
