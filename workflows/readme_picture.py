"""README's picture: the demo's clip, and what its weights made of it by four instructions: `python -m workflows.readme_picture`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.headless.demo.shown_edits import SHOWN_EDITS
from reelpatch.headless.editor import Editor
from reelpatch.media.video_io import read_video
from reelpatch.recipes import recipe
from workflows.demo_material import CLIP, FOLDER

PICTURE = FOLDER.parent / "docs" / "pictures" / "what_it_does.png"
SHOWN = (
    "make the red circle blue",
    "remove the green square",
    "change the background to a night sky",
    "make it sepia",
)
FRAMES, ZOOM, GAP_PX, CAPTION_PX = (0, 4, 8), 2, 6, 26
INK, PAPER = (30, 30, 30), (250, 250, 248)


def picture() -> Image.Image:
    """The clip at the left; right of it the edits, each under its instruction."""
    assert {edit.instruction for edit in SHOWN_EDITS} >= set(SHOWN)
    clip = read_video(FOLDER / CLIP, folder_fps=Fraction(1)).frames
    editor = Editor(recipe("demo"))
    made = [to_bytes(editor.edit(to_floats(clip), instruction, seed=1)) for instruction in SHOWN]
    blocks = [_block(frames, words) for frames, words in zip(made, SHOWN, strict=True)]
    columns = [np.concatenate(blocks[start::2]) for start in (0, 1)]
    first = _block(clip, "the clip")
    above = (columns[0].shape[0] - first.shape[0]) // 2
    below = columns[0].shape[0] - first.shape[0] - above
    source = np.stack(
        [np.pad(first[..., i], ((above, below), (0, 0)), constant_values=PAPER[i]) for i in range(3)], -1
    )
    return Image.fromarray(np.concatenate([source, *columns], axis=1))


def _block(frames: NDArray[np.uint8], words: str) -> NDArray[np.uint8]:
    """Three frames in a row under their words."""
    side = frames.shape[1] * ZOOM
    page = Image.new("RGB", (3 * (side + GAP_PX) + 3 * GAP_PX, side + CAPTION_PX + 2 * GAP_PX), PAPER)
    ImageDraw.Draw(page).text((GAP_PX, 4), words, INK, ImageFont.load_default(15))
    for place, index in enumerate(FRAMES):
        frame = Image.fromarray(frames[index]).resize((side, side), Image.Resampling.NEAREST)
        page.paste(frame, (GAP_PX + place * (side + GAP_PX), CAPTION_PX))
    return np.asarray(page)


def write(path: Path = PICTURE) -> None:
    """Writes it beside the other pictures of the docs."""
    picture().save(path, optimize=True)


if __name__ == "__main__":
    write()
