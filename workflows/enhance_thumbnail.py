"""The picture of the templates that enhance: frames of a demo clip made to flicker above, enhanced by the demo below."""

from __future__ import annotations

from PIL import Image

from benchmarks.enhance import clean_clip, flickering
from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.headless.enhancer import Enhancer
from reelpatch.recipes import recipe
from workflows.picture import captioned, strip

FRAMES = (3, 4, 5)


def enhance_thumbnail(seed: int = 0) -> Image.Image:
    """Three neighbouring frames of the clip of a seed, before and after."""
    clip = flickering(clean_clip(seed), seed, 0.06)
    enhanced = to_bytes(Enhancer(recipe("demo-enhance")).enhance(to_floats(clip)))
    rows = [strip(frames[list(FRAMES)]) for frames in (clip, enhanced)]
    return captioned(rows, "a clip that flickers, enhanced")
