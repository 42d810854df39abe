"""Several edits: every combination of some clips, instructions and seeds, in one run."""

import re
from itertools import product
from typing import Any

from comfy_api.latest import io

from reelpatch.errors import BadInput

from .long_inputs import MAX_SEED
from .node_message import say
from .video_file import source_name

_MOST = 256
_LABEL_CHARACTERS = 100


class Several(io.ComfyNode):
    """Its outputs are lists: ComfyUI runs what they are connected to once for each item, with the models loaded once."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        videos = io.Autogrow.TemplatePrefix(
            io.Video.Input("video", tooltip="A clip, from Load Video."), prefix="video_", min=1, max=16
        )
        return io.Schema(
            node_id="ReelpatchSeveral",
            display_name="Several edits",
            category="reelpatch",
            description=(
                "Runs what it is connected to once for each combination of clip, instruction and seed. Connect it to Edit video by "
                "instruction, and the results to Contact sheet. Each edit is the same as by itself."
            ),
            search_aliases=["batch", "seeds", "variations", "several instructions", "grid", "compare seeds"],
            inputs=[
                io.String.Input(
                    "instructions",
                    multiline=True,
                    default="",
                    tooltip="One on each line; empty lines are left out.",
                ),
                io.String.Input("seeds", default="1", tooltip="Such as 1-4, or 1, 2, 7."),
                io.Autogrow.Input("videos", template=videos),
            ],
            outputs=[
                io.Video.Output(display_name="video", is_output_list=True, tooltip="The clip of each edit."),
                io.String.Output(display_name="instruction", is_output_list=True, tooltip="Of each edit."),
                io.Int.Output(display_name="seed", is_output_list=True, tooltip="Of each edit."),
                io.String.Output(
                    display_name="label",
                    is_output_list=True,
                    tooltip="For Contact sheet: clip, instruction and seed.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, instructions: str, seeds: str, videos: dict[str, Any]) -> io.NodeOutput:
        asked = [line.strip() for line in instructions.splitlines() if line.strip()]
        if not asked:
            raise BadInput("there is no instruction: write one on each line.", setting="instructions")
        given = [video for video in videos.values() if video is not None]
        if not given:
            raise BadInput("no clip is connected, or what is connected hands none on: connect Load Video.")
        edits = list(product(given, asked, seeds_of(seeds)))
        if len(edits) > _MOST:
            raise BadInput(
                f"these are {len(edits)} edits ({len(given)} clips, {len(asked)} instructions, the rest seeds): ask for {_MOST} "
                "at most at a time.",
                setting="seeds",
            )
        say(cls, f"{len(edits)} edit{'s' * (len(edits) != 1)}.")
        labels = [_label(source_name(video), words, seed) for video, words, seed in edits]
        clips, words, numbers = (list(column) for column in zip(*edits, strict=True))
        return io.NodeOutput(clips, words, numbers, labels)


def seeds_of(text: str) -> list[int]:
    """Of "1-4" or "1, 2, 7", each once. Raises: `BadInput` for what is neither."""
    seeds: list[int] = []
    for part in re.split(r"[,;\s]+", re.sub(r"\s*-\s*", "-", text.strip())):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part, re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= MAX_SEED:
            raise BadInput(
                f"'{part}' in seeds is neither a number nor a range such as 1-4: write 1-4, or 1, 2, 7.",
                setting="seeds",
            )
        if last - first >= _MOST:
            raise BadInput(
                f"the seeds {part} are more than {_MOST}: ask for fewer at a time.", setting="seeds"
            )
        seeds += range(first, last + 1)
    return list(dict.fromkeys(seeds))


def _label(clip: str, instruction: str, seed: int) -> str:
    said = f"{clip}: {instruction}" if clip else instruction
    return f"{said[:_LABEL_CHARACTERS]}, seed {seed}"
