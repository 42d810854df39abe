"""The pictures of templates with more nodes between clip and edit: several edits under each other, an edit under its mask."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from PIL import Image

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.media.video_io import read_video
from reelpatch.recipes import RECIPES
from workflows.beside_nodes import MaskByWord, Several
from workflows.demo_material import CLIP, FOLDER, red_thing
from workflows.picture import captioned, strip

FRAMES = [0, 4, 8]
_BY_WORD, _COLOUR = "red circle", "make the red circle yellow"


def beside_thumbnail(what: Several | MaskByWord) -> Image.Image:
    """The picture of the template with these nodes."""
    return _several(what) if isinstance(what, Several) else _mask()


def _several(several: Several) -> Image.Image:
    """What each of the first instructions makes of the clip, with another seed each."""
    clip = to_floats(_clip())
    made = [
        to_bytes(Editor(RECIPES["demo"]).edit(clip, words, seed=seed))
        for seed, words in enumerate(several.instructions[:2], start=1)
    ]
    caption = f"{len(several.instructions)} instructions x seeds {several.seeds}, in one run"
    return captioned([strip(frames[FRAMES]) for frames in made], caption)


def _mask() -> Image.Image:
    """The mask of a thing in every frame, and its edit."""
    clip = _clip()
    mask = red_thing(clip)
    edited = Editor(RECIPES["demo"]).edit(
        to_floats(clip), _COLOUR, mask=torch.from_numpy(mask).float() / 255, seed=1
    )
    shown = np.repeat(mask[..., None], 3, axis=-1)
    return captioned([strip(shown[FRAMES]), strip(to_bytes(edited)[FRAMES])], f'mask of "{_BY_WORD}", edited')


def _clip() -> np.ndarray:
    return read_video(FOLDER / CLIP, folder_fps=Fraction(scenes.FPS)).frames
