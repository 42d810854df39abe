"""Name of the result: what a saved video or picture is called, by its clip and by what was asked for."""

import re
from pathlib import Path
from typing import Any

from comfy_api.latest import io

from .incoming_clip import FORMS
from .video_file import source_name

_MOST_BYTES = 150  # of the name; with a folder, a number and an ending it stays below what file systems take
_CLIP_CHARACTERS = 60


class ResultName(io.ComfyNode):
    """Two names, because Edit long clip keeps a result of its own beside the one that is saved."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchResultName",
            display_name="Name of the result",
            category="reelpatch/look",
            description=(
                "Names a result after its clip and its instruction, such as clip_make_it_sepia; connect it to filename_prefix "
                "of Save Video."
            ),
            search_aliases=["filename", "prefix", "save video", "rename"],
            inputs=[
                io.MultiType.Input(
                    "video",
                    FORMS,
                    optional=True,
                    tooltip="The clip that was edited, from Load Video; frames have no name.",
                ),
                io.String.Input("instruction", default="", tooltip="What was asked for."),
                io.String.Input(
                    "folder",
                    default="video",
                    tooltip="The folder below ComfyUI's output; empty is the output itself.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="name", tooltip="For filename_prefix of Save Video or Save Image."
                ),
                io.String.Output(
                    display_name="kept name",
                    tooltip="For filename_prefix of Edit long clip, which keeps its own result: the same in the folder reelpatch.",
                ),
            ],
        )

    @classmethod
    def execute(cls, instruction: str, folder: str, video: Any = None) -> io.NodeOutput:
        name = name_after(source_name(video), instruction)
        return io.NodeOutput(f"{folder}/{name}" if folder else name, f"reelpatch/{name}")


def name_after(clip: str, instruction: str) -> str:
    """`clip_make_it_sepia`; letters of any script stay, all else becomes an underscore."""
    words = "_".join(re.findall(r"\w+", instruction.lower())) or "edited"
    beginning = "_".join(re.findall(r"[\w-]+", Path(clip).stem))[:_CLIP_CHARACTERS]
    name = f"{beginning}_{words}" if beginning else words
    return name.encode()[:_MOST_BYTES].decode("utf-8", "ignore").rstrip("_")
