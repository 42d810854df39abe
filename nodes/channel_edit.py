"""Edit by channels: the source's latents beside those that are made, by the conditioning that core's HunyuanVideo-1.5 reads."""

from typing import Any

import comfy.clip_vision
import comfy.model_management
import node_helpers
import torch
from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.edits.channels.layout import ChannelLayout
from reelpatch.errors import BadInput
from reelpatch.recipes import RECIPES

from .host_vae import check_vae
from .node_message import say
from .sockets import WORKED_CLIP


class EditByChannels(io.ComfyNode):
    """Core's HunyuanVideo15ImageToVideo shows a clip as well, but one frame of it alone to the picture encoder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchEditByChannels",
            display_name="Edit by channels",
            category="reelpatch",
            description=(
                "Shows HunyuanVideo-1.5 the whole clip beside the one that is made, as Capybara does, and its first, middle and "
                "last frame to SigLIP. The instruction goes through CLIP Text Encode; settings come from Recipe."
            ),
            search_aliases=["capybara", "hunyuan", "edit video", "instruction"],
            inputs=_inputs(),
            outputs=[
                io.Conditioning.Output(display_name="positive", tooltip="For Guidance schedule."),
                io.Conditioning.Output(
                    display_name="negative", tooltip="For Guidance schedule, where guidance is not 1."
                ),
                io.Latent.Output(tooltip="Empty latents of the right size."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        positive: Any,
        vae: Any,
        clip: WorkedClip,
        recipe: str,
        negative: Any = None,
        clip_vision: Any = None,
    ) -> io.NodeOutput:
        record = RECIPES[recipe]
        check_vae(vae, record.model_family)
        layout = record.channels
        assert layout is not None
        layout.check(0)
        source = vae.encode(clip.frames)
        seen = _seen(layout, clip.frames, clip_vision)
        shown = {
            "concat_latent_image": source,
            "concat_mask": torch.zeros(1, 1, *source.shape[2:], dtype=source.dtype, device=source.device),
        } | seen
        sides = [node_helpers.conditioning_set_values(one or [], shown) for one in (positive, negative)]
        looked = layout.frames_seen(len(clip.frames)) if seen else ()
        say(
            cls,
            f"{record.title}. SigLIP sees frames {', '.join(map(str, looked)) or 'none'} of {len(clip.frames)}.",
        )
        empty = torch.zeros(source.shape, device=comfy.model_management.intermediate_device())
        return io.NodeOutput(*sides, {"samples": empty})


def _seen(layout: ChannelLayout, frames: Tensor, clip_vision: Any) -> dict[str, Any]:
    """What the picture encoder makes of the frames that it is shown, as rows of one picture, which is how core hands them on.

    Raises: `BadInput` without a picture encoder, and for one of another width.
    """
    picks = layout.frames_seen(len(frames))
    if not picks:
        return {}
    if clip_vision is None:
        raise BadInput(
            "this method looks at frames of the clip, but no picture encoder is connected: load sigclip_vision_patch14_384.safetensors "
            "with Load CLIP Vision."
        )
    seen = clip_vision.encode_image(frames[list(picks)], crop=False).last_hidden_state
    if seen.shape[-1] != _SIGLIP_WIDTH:
        raise BadInput(
            f"this picture encoder is {seen.shape[-1]} wide, but HunyuanVideo-1.5 reads SigLIP's {_SIGLIP_WIDTH}: load "
            "sigclip_vision_patch14_384.safetensors."
        )
    output = comfy.clip_vision.Output()
    output["last_hidden_state"] = seen.reshape(1, -1, _SIGLIP_WIDTH)
    return {"clip_vision_output": output}


_SIGLIP_WIDTH = 1152


def _inputs() -> list[io.Input]:
    return [
        io.Conditioning.Input(
            "positive", tooltip="The instruction, from CLIP Text Encode with Qwen2.5-VL and byT5."
        ),
        io.Vae.Input("vae", tooltip="The HunyuanVideo-1.5 VAE (32 channels)."),
        WORKED_CLIP.Input("clip", display_name="video clip", tooltip="From Clip."),
        io.Combo.Input(
            "recipe",
            options=[record.name for record in RECIPES.values() if record.channels],
            tooltip="The method: what stands beside the latents. Choose the same in Recipe.",
        ),
        io.Conditioning.Input(
            "negative", optional=True, tooltip="Only where guidance is not 1: the empty text."
        ),
        io.ClipVision.Input(
            "clip_vision",
            display_name="picture encoder",
            optional=True,
            tooltip="SigLIP (sigclip_vision_patch14_384), from Load CLIP Vision. Capybara needs it.",
        ),
    ]
