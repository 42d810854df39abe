"""The picture of the templates that enhance: frames of a demo clip made to flicker above, enhanced by the demo below."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.enhance import clean_clip, flickering
from reelpatch.headless.edit import to_bytes, to_floats
from reelpatch.headless.enhancer import Enhancer
from reelpatch.recipes import recipe

FRAMES, ZOOM, GAP, CAPTION = (3, 4, 5), 2, 4, 40
INK, PAPER = (235, 235, 235), (30, 30, 34)


def enhance_thumbnail() -> Image.Image:
    """Three neighbouring frames, before and after."""
    clip = flickering(clean_clip(0), 0, 0.06)
    enhanced = to_bytes(Enhancer(recipe("demo-enhance")).enhance(to_floats(clip)))
    strips = [_strip(frames) for frames in (clip, enhanced)]
    image = Image.fromarray(np.pad(np.concatenate(strips), ((GAP, CAPTION), (GAP, 0), (0, 0))))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    top = image.height - CAPTION
    draw.rectangle((0, top, image.width, image.height), fill=PAPER)
    draw.text((GAP + 2, top + 2), "a clip that flickers, enhanced", fill=INK, font=font)
    draw.text((GAP + 2, top + 20), "made by Reelpatch's demo weights, 64x64 on a CPU", fill=INK, font=font)
    return image


def _strip(clip: NDArray[np.uint8]) -> NDArray[np.uint8]:
    enlarged = clip[list(FRAMES)].repeat(ZOOM, axis=1).repeat(ZOOM, axis=2)
    return np.concatenate(list(np.pad(enlarged, ((0, 0), (0, GAP), (0, GAP), (0, 0)))), axis=1)
