"""Contact sheet: several results in one picture, a row for each."""

from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from comfy_api.latest import io
from numpy.typing import NDArray

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.errors import BadInput
from reelpatch.media.contact_sheet import SheetRow, contact_sheet, thumbnail
from reelpatch.media.frame_reader import FrameReader, look_through

from .incoming_clip import FORMS, frames_of
from .video_file import file_of, is_file, source_name

_MOST_ROWS = 256


class ContactSheet(io.ComfyNode):
    """Takes all items of its lists at once, where other nodes are run once for each."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchContactSheet",
            display_name="Contact sheet",
            category="reelpatch/look",
            description=(
                "Several results in one picture, a row for each: evenly picked frames, with a label above, and in front the middle "
                "frame of the clip as it was."
            ),
            search_aliases=["grid", "batch", "overview", "seeds", "compare results"],
            inputs=[
                io.MultiType.Input(
                    "results", FORMS, tooltip="The results, such as VIDEO of Edit video by instruction."
                ),
                io.String.Input(
                    "labels",
                    optional=True,
                    force_input=True,
                    tooltip="A line above each row, from Several edits.",
                ),
                io.MultiType.Input(
                    "sources", FORMS, optional=True, tooltip="The clips as they were, in the same order."
                ),
                io.Int.Input(
                    "columns", default=4, min=1, max=12, tooltip="How many frames of each result are shown."
                ),
            ],
            outputs=[io.Image.Output(tooltip="For Preview Image or Save Image.")],
            is_input_list=True,
        )

    @classmethod
    def execute(
        cls,
        results: Sequence[Any],
        columns: Sequence[int],
        labels: Sequence[str] | None = None,
        sources: Sequence[Any] | None = None,
    ) -> io.NodeOutput:
        if len(results) > _MOST_ROWS:
            raise BadInput(
                f"these are {len(results)} results: a sheet has room for {_MOST_ROWS}.", setting="results"
            )
        rows = [
            _row(number, result, _item(labels, number), _item(sources, number), columns[0])
            for number, result in enumerate(results)
        ]
        page = np.array(contact_sheet(rows), np.float32) / 255
        return io.NodeOutput(torch.from_numpy(page)[None])


def _item(values: Sequence[Any] | None, number: int) -> Any:
    """The one of that number; where there are fewer, the last, as ComfyUI does it."""
    return values[min(number, len(values) - 1)] if values else None


def _row(number: int, result: Any, label: str | None, source: Any, columns: int) -> SheetRow:
    picked = _picked(result, columns)
    pictures, captions = list(picked.values()), [f"frame {index}" for index in picked]
    if source is not None:
        before = _picked(source, 1)
        pictures, captions = [*before.values(), *pictures], ["as it was", *captions]
    name = label or source_name(result) or f"result {number + 1}"
    return SheetRow(name, [thumbnail(picture) for picture in pictures], captions)


def _picked(clip: Any, columns: int) -> dict[int, NDArray[np.uint8]]:
    """Evenly picked frames by their numbers, the first and the last among them; of one column the middle one."""
    if not is_file(clip):
        frames = frames_of(clip).frames
        return {index: to_bytes(frames[index : index + 1])[0] for index in _places(len(frames), columns)}
    path = file_of(clip, "result")
    header = look_through(path, folder_fps=Fraction(1), accept_damage=True)
    with closing(FrameReader(path, accept_damage=True)) as reader:
        return {index: reader.part(index, index + 1)[0] for index in _places(header.num_frames, columns)}


def _places(num_frames: int, columns: int) -> list[int]:
    if columns == 1:
        return [num_frames // 2]
    return sorted({round(float(place)) for place in np.linspace(0, num_frames - 1, columns)})
