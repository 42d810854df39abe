"""Crop to mask: a small edit is made in a box that follows it, at full resolution; Finish clip stitches it back."""

from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.finish import MOST_PX
from reelpatch.clips.worked_clip import WorkedClip

from .node_message import say
from .sockets import WORKED_CLIP
from .widgets import asked_size, size_inputs


class CropToMask(io.ComfyNode):
    """Stands between Clip and Apply edit."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchCropToMask",
            display_name="Crop to mask",
            category="reelpatch",
            description=(
                "Cuts out a box that follows the mask, so that a small edit is made at full resolution and with fewer "
                "tokens. Finish clip stitches it back into the whole clip by itself; give it the mask too."
            ),
            search_aliases=["mask", "crop and stitch", "inpaint video", "inpaint crop", "region", "zoom"],
            inputs=[
                WORKED_CLIP.Input("clip", display_name="video clip", tooltip="The whole clip, from Clip."),
                io.Mask.Input(
                    "mask",
                    tooltip="What is edited (above 0), of the clip's size; one for all frames or one for each.",
                ),
                io.Int.Input(
                    "margin",
                    default=32,
                    min=0,
                    max=MOST_PX,
                    tooltip="How much picture the model sees around the edit, in pixels of the clip.",
                ),
                io.Int.Input(
                    "reach",
                    default=16,
                    min=0,
                    max=MOST_PX,
                    tooltip="How far beyond the mask Finish clip may go, in pixels: its grow and feather together.",
                ),
                *size_inputs(
                    "What the box is scaled to, in pixels; 0 (with height 0) keeps its own size.",
                    "The same upwards. Models edit best near the size they were made for.",
                ),
            ],
            outputs=[
                WORKED_CLIP.Output(
                    display_name="video clip", tooltip="The box, for Apply edit and Finish clip."
                ),
                io.Mask.Output(
                    display_name="mask", tooltip="The mask in the box, for Apply edit and Finish clip."
                ),
                io.Image.Output(display_name="frames", tooltip="The box as it is worked on, to look at."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls, clip: WorkedClip, mask: Tensor, margin: int, reach: int, width: int, height: int
    ) -> io.NodeOutput:
        cropped, inner = clip.cropped_to(
            mask, margin_px=margin, reach_px=reach, size=asked_size(width, height)
        )
        assert cropped.cut_out is not None
        say(cls, f"{cropped.cut_out.boxes.describe()} {cropped.plan.describe()}")
        return io.NodeOutput(cropped, inner, cropped.frames)
