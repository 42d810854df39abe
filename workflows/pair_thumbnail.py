"""The pictures of the templates that make pairs: frames of a source above, of its target below, by the demo's weights."""

from __future__ import annotations

from PIL import Image

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.headless.hosts.pair_maker import PairMaker, PairWords
from reelpatch.recipes import RECIPES
from workflows.pair_subgraph import ON_SHAPES, Captions
from workflows.picture import captioned, strip

FRAMES = [0, 4, 8]
# Of each template, what the demo's weights are asked for, and the seed.
PAIRS = {
    "Demo - make a pair of clips on any machine": (ON_SHAPES, 1),
    "Wan - make a pair of clips (50 steps)": (
        Captions("green square in front of grass", "pink square in front of grass", "colour"),
        1,
    ),
}


def pair_thumbnail(name: str) -> Image.Image:
    """Both clips of a pair."""
    captions, seed = PAIRS[name]
    recipe = RECIPES["demo-shared-attention"]
    words = PairWords(captions.source, captions.target, captions.change, seed=seed)
    clips = PairMaker(recipe).make(words, frames=recipe.frames, size=(recipe.height, recipe.width))
    rows = [strip(to_bytes(clip)[FRAMES]) for clip in clips]
    before, after = (text.partition(" in front")[0] for text in (captions.source, captions.target))
    return captioned(rows, f'one pair: "{before}", "{after}"')
