"""Reasoning in time: where a film's frames stand in time, and the drop of those between picture and edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.ldm.wan.model
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import io
from torch import Tensor

from reelpatch.edits.reasoning.drop import Drop, matched, rotary_positions
from reelpatch.edits.reasoning.settings import PAIR, PictureEdit
from reelpatch.edits.reasoning.worked_picture import WorkedPicture
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

from .node_message import say
from .sampling import FlowSampler
from .sockets import WORKED_PICTURE

KEY = "reelpatch_picture"
CHANNELS = 2 * WAN.lattice.channels + WAN.lattice.frames_per_latent
"""Of a backbone for image-to-video: the noise's, the picture's, and the mask of what is given."""
_STRAIGHT = {"scale_t": 1.0, "shift_t": 0.0}


class EditPicture(io.ComfyNode):
    """Model and sampler change together: what the one drops, the other's condition loses too."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchEditPicture",
            display_name="Reasoning in time",
            category="reelpatch/pictures",
            description=(
                "Makes an image-to-video MODEL edit a picture as ChronoEdit does: picture and edit stand at the ends of a "
                "film in time, and the imagined way between them is dropped in the middle of the run, of the latents, the "
                "condition and the sampler's memory."
            ),
            search_aliases=["chronoedit", "edit image", "edit picture", "temporal reasoning", "ScaleROPE"],
            inputs=[
                io.Model.Input(
                    "model", tooltip="ChronoEdit, or another Wan2.1 image-to-video MODEL, from any loader."
                ),
                io.Sampler.Input("sampler", tooltip="From Recipe or Flow UniPC."),
                io.Sigmas.Input("sigmas", tooltip="Those of the run, from Recipe."),
                WORKED_PICTURE.Input(
                    "picture", tooltip="From Picture, which says how many steps have reasoning."
                ),
            ],
            outputs=[
                io.Model.Output(tooltip="For Guidance schedule, or another guider."),
                io.Sampler.Output(tooltip="The same, with the drop; for the sampler node."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls, model: ModelPatcher, sampler: Any, sigmas: Tensor, picture: WorkedPicture
    ) -> io.NodeOutput:
        check_image_backbone(model)
        num_steps = len(sigmas) - 1
        picture.how.check_steps(num_steps)
        edited = model.clone()
        for kind, work in _AT_WORK:
            edited.remove_wrappers_with_key(kind, KEY)
            edited.add_wrapper_with_key(kind, KEY, work)
        dropping = _dropping(sampler, picture.how, num_steps)
        parts = [_told_of_steps(picture.how, num_steps), _told_of_rope(model), picture.how.warning(num_steps)]
        say(cls, " ".join(filter(None, parts)))
        return io.NodeOutput(edited, dropping)


@dataclass(frozen=True)
class PictureForward:
    """A wrapper around a forward of core's model: positions in time, and a condition as long as the latents are by now."""

    def __call__(
        self,
        executor: Any,
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Any = None,
        control: Any = None,
        transformer_options: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> Tensor:
        options = dict(transformer_options or {})
        options["rope_options"] = placed_in_time(options.get("rope_options"), x.shape[2])
        condition = None if c_concat is None else matched(c_concat, x.shape[2])
        return executor(x, t, condition, c_crossattn, control, options, **others)


def check_conditions(
    executor: Any,
    model: ModelPatcher,
    noise_shape: Sequence[int],
    conditions: Mapping[str, Sequence[Mapping[str, Any]]],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Raises: `BadInput` before sampling, where core would make up what the model is not shown."""
    looks = model.get_model_object("diffusion_model").img_emb is not None
    for one in (one for kind in conditions.values() for one in kind):
        shown = one.get("concat_latent_image")
        if shown is None:
            raise BadInput(
                "the model is shown no picture: connect Picture's frame to WanImageToVideo as start_image, and its positive "
                "and negative to the guider."
            )
        if shown.shape[2] != noise_shape[2] or noise_shape[2] < PAIR:
            raise BadInput(
                f"the picture's condition is {shown.shape[2]} latent frames long and the latents {noise_shape[2]}: connect "
                "frames of Picture to WanImageToVideo as length, and its latent to the sampler."
            )
        if looks and one.get("clip_vision_output") is None:
            raise BadInput(
                "the model looks at the picture's embedding beside the text, and none is connected: give WanImageToVideo a "
                "clip_vision_output, by CLIP Vision Encode of Picture's frame."
            )
    return executor(model, noise_shape, conditions, *args, **kwargs)


def placed_in_time(upstream: Mapping[str, float] | None, latent_frames: int) -> dict[str, float]:
    """ScaleROPE's options with the times of a picture's film; scales and shifts of another node's x and y stay."""
    first, *_, last = rotary_positions(latent_frames)
    # Core spreads the frames evenly from shift_t on, each scale_t behind the one before.
    return {**(upstream or {}), "shift_t": float(first), "scale_t": (last - first) / (latent_frames - 1)}


_AT_WORK = ((WrappersMP.APPLY_MODEL, PictureForward()), (WrappersMP.PREPARE_SAMPLING, check_conditions))


def check_image_backbone(model: ModelPatcher) -> None:
    """Raises: `BadInput` unless `model` is a Wan backbone that is shown a picture in further channels."""
    backbone = model.get_model_object("diffusion_model")
    is_wan = isinstance(backbone, comfy.ldm.wan.model.WanModel)
    if not is_wan or backbone.in_dim != CHANNELS:
        what = (
            f"a Wan backbone of {backbone.in_dim} channels" if is_wan else f"a {type(model.model).__name__}"
        )
        raise BadInput(
            f"this MODEL is {what}, but pictures are edited by Wan2.1's image-to-video backbones of {CHANNELS}: load "
            "ChronoEdit, with Load picture models of a recipe or Load backbone."
        )


def _dropping(sampler: Any, how: PictureEdit, num_steps: int) -> Any:
    if not 0 < how.reasoning_steps < num_steps:
        return sampler
    if not isinstance(sampler, FlowSampler):
        raise BadInput(
            f"the way to the edit is to be dropped after step {how.reasoning_steps} of {num_steps}, which core's samplers "
            "cannot: connect the SAMPLER of Recipe or Flow UniPC, or set reasoning_steps of Picture to 0 or to all steps."
        )
    options = {**sampler.extra_options, "between": Drop(how.reasoning_steps)}
    return FlowSampler(sampler.sampler_function, options)


def _told_of_steps(how: PictureEdit, num_steps: int) -> str:
    if not how.reasoning_steps:
        return (
            "5 frames, of which picture and edit stand at 0 and 7 in time; nothing is imagined between them."
        )
    end = (
        "kept to the end"
        if how.reasoning_steps == num_steps
        else f"dropped after step {how.reasoning_steps} of {num_steps}"
    )
    return f"29 frames; the imagined way between picture and edit is {end}."


def _told_of_rope(model: ModelPatcher) -> str:
    upstream = model.model_options["transformer_options"].get("rope_options")
    if upstream is None or all(upstream.get(name, value) == value for name, value in _STRAIGHT.items()):
        return ""
    return (
        f"ScaleROPE's times (scale_t {upstream['scale_t']:g}, shift_t {upstream['shift_t']:g}) give way to those; its x and "
        "y stay."
    )
