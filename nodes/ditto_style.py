"""Style of Ditto: an instruction in the wording that Ditto was published with, chosen from a list."""

import re

from comfy_api.latest import io

from reelpatch.recipes.ditto_styles import DITTO_STYLES


class DittoStyle(io.ComfyNode):
    """ComfyUI reads round brackets as weights of words, so that they are escaped."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchDittoStyle",
            display_name="Style of Ditto",
            category="reelpatch",
            description=(
                "An instruction as Ditto's authors worded it, for the instruction of Edit video by instruction with a recipe of Ditto. "
                "The first one is for ditto-sim2real, the others are for ditto-global and ditto-style."
            ),
            search_aliases=["ditto", "restyle", "style", "anime", "pixel art", "claymation", "prompt"],
            inputs=[
                io.Combo.Input(
                    "style",
                    options=list(DITTO_STYLES),
                    default="Make it a Pixel Art video.",
                    tooltip="What Ditto was shown to do.",
                )
            ],
            outputs=[
                io.String.Output(
                    display_name="instruction",
                    tooltip="With round brackets escaped, as ComfyUI's text encoders need them.",
                )
            ],
        )

    @classmethod
    def execute(cls, style: str) -> io.NodeOutput:
        return io.NodeOutput(re.sub(r"([()])", r"\\\1", style))
