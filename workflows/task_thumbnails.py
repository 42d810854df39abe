"""The pictures of the templates of tasks: what the model gets, its mask, and what the demo's weights made of it.

The same tasks on the same material as the templates have, run headless at the demo's size. The caption says whose weights
they are: the methods' own would make more of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.edits.vace.task_layouts import Sides
from reelpatch.headless.runs.request import TaskRequest
from reelpatch.headless.runs.task import run_task
from reelpatch.headless.runs.task_layout import lay_out
from reelpatch.media.video_io import read_video
from workflows import material_nodes
from workflows.picture import GAP, captioned
from workflows.task_graphs import TASK_GRAPHS

FOLDER = Path(__file__).parent
SHOWN = (0, 4, 8)
_WHITE = 100  # below it a pixel of a thing on white is the thing's
FRAME_PX = 128


def _files(**names: str) -> dict[str, Path]:
    return {key: FOLDER / name for key, name in names.items()}


CLIP = _files(clip=material_nodes.CLIP)
MASKED = _files(clip=material_nodes.CLIP, mask=material_nodes.MASK_CLIP)
SUBJECTS = tuple(FOLDER / name for name in (material_nodes.SUBJECT, material_nodes.OTHER_SUBJECT))
# What the demo's weights know to say; the templates' own words describe a finished video.
SEA, SUNSET = "put it in front of the ocean", "change the background to a sunset"
REQUESTS: dict[str, dict[str, Any]] = {
    "text and references": {"task": "reference", "prompt": SEA, "references": SUBJECTS},
    "references to a video": {"task": "reference", "prompt": SUNSET, "references": SUBJECTS[::-1]},
    "follow a control map": {"task": "control", "prompt": SEA, **CLIP, "control_map": "edge"},
    "inpaint": {"task": "inpaint", "prompt": SUNSET, **CLIP, **_files(mask=material_nodes.MASK)},
    "outpaint": {"task": "outpaint", "prompt": SUNSET, **CLIP, "sides": Sides(left=0.25, right=0.25)},
    "extend": {
        "task": "extend",
        "prompt": SUNSET,
        **_files(first=material_nodes.FIRST, last=material_nodes.LAST),
    },
    "swap by mask and reference": {"task": "swap", "prompt": SUNSET, **MASKED, "references": SUBJECTS[:1]},
    "try-on and character replacement": {
        "prompt": SUNSET,
        "task": "control",
        **MASKED,
        "control_map": "edge",
        "references": SUBJECTS[:1],
    },
}


OF_REFERENCES = "Bernini-R - references to a video (40 steps)"
TEMPLATES = (*(graph.name for graph in TASK_GRAPHS), OF_REFERENCES)
"""The templates that have such a picture."""


def thumbnail(template: str) -> Image.Image:
    """The picture of a template."""
    name = template.partition(" - ")[2].rpartition(" (")[0]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "made.mp4"
        request = TaskRequest(output=result, seed=1, **REQUESTS[name])
        given = lay_out(request).built.input
        run_task(request)
        made = read_video(result, folder_fps=Fraction(1)).frames
    if (
        template == OF_REFERENCES
    ):  # whose model sees neither a clip nor a mask, and which the demo's weights know nothing of
        stills = [to_bytes(one[..., :3]) for one in given.references]
        rows = [_row([*stills, np.zeros_like(stills[0])]), _strip(_with_both(stills, made))]
        return captioned(
            rows, f"{name}: references, and a video of them", "drawn, as no model of this size makes it"
        )
    mask = np.repeat(to_bytes(given.hard_mask)[..., None], 3, axis=-1)
    rows = [_strip(to_bytes(given.clip)), _strip(mask), _strip(made)]
    return captioned(rows, f"{name}: given, mask, made", "made by Reelpatch's demo weights on a CPU")


def _with_both(stills: Sequence[NDArray[np.uint8]], film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames in which the things of two pictures, which stand on white, come towards each other."""
    frames, side = film.copy(), film.shape[1] // 2
    things = [np.asarray(Image.fromarray(one).resize((side, side))) for one in stills]
    for number, frame in enumerate(frames):
        way = number * (side // 4) // (len(frames) - 1)
        for thing, left in zip(
            things, (way - side // 8, frame.shape[1] - side + side // 8 - way), strict=True
        ):
            for row, column in np.argwhere(thing.min(axis=-1) < _WHITE):
                if 0 <= left + column < frame.shape[1]:
                    frame[side // 2 + row, left + column] = thing[row, column]
    return frames


def _strip(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Three frames in a row."""
    return _row([frames[index] for index in SHOWN])


def _row(shown: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures in a row, each on a square."""
    pictures: list[NDArray[np.uint8]] = []
    for one in shown:
        frame = Image.fromarray(one)
        scale = FRAME_PX / max(frame.size)
        size = (round(frame.width * scale), round(frame.height * scale))
        square = Image.new("RGB", (FRAME_PX + GAP, FRAME_PX + GAP))
        square.paste(frame.resize(size, Image.Resampling.NEAREST), (0, (FRAME_PX - size[1]) // 2))
        pictures.append(np.asarray(square))
    return np.concatenate(pictures, axis=1)


def write() -> None:
    """Writes the picture of every task template beside it."""
    for template in TEMPLATES:
        path = FOLDER / f"{template}.jpg"
        part = path.with_suffix(".part")
        thumbnail(template).save(part, format="JPEG", quality=88, optimize=True)
        part.replace(path)


if __name__ == "__main__":
    write()
