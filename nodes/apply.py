"""Apply edit: a clip, and what is to change in it, attached to a MODEL."""

from typing import Any

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.masks import over_all_frames
from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.edits.vace.context import build_context
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.module import VaceModule
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.sampling.step_range import StepRange

from .host import attach, attached_edits
from .host_vae import encoder
from .node_message import say
from .sockets import REFERENCES, WORKED_CLIP
from .widgets import skip_hints_input, times_in_result_input


class ApplyEdit(io.ComfyNode):
    """Chainable: every edit on a MODEL has its own clip, references, strength and window."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchApplyEdit",
            display_name="Apply edit",
            category="reelpatch",
            description=(
                "Attaches an edit to a MODEL: the edit module looks at the clip, the mask and the references while the "
                "model makes the new clip from the instruction. Several can be chained."
            ),
            search_aliases=[
                "ditto",
                "edit video",
                "restyle",
                "vace",
                "instruction",
                "video to video",
                "mask",
            ],
            inputs=_inputs(),
            outputs=[
                io.Model.Output(tooltip="For another Apply edit, a guider or a sampler."),
                io.Latent.Output(tooltip="Empty latents of the right size, with a frame for each reference."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        edit_module: ModelPatcher,
        vae: Any,
        clip: WorkedClip,
        strength: float,
        start: float,
        end: float,
        mask: Tensor | None = None,
        references: list[Tensor] | None = None,
        *,
        skip_hints: bool = False,
        times_in_result: bool = False,
    ) -> io.NodeOutput:
        check_module(edit_module)
        height, width = clip.plan.size
        where = None if mask is None else clip.mask(mask)
        context = build_context(
            clip.frames,
            over_all_frames(where) if times_in_result and where is not None else where,
            references or [],
            encoder(vae),
            frames=clip.plan.frames,
            height=height,
            width=width,
        )
        edit = VaceEdit(
            edit_module.model, [VaceContext(context, strength, StepRange(start, end))], skip_hints
        )
        edited = attach(model, edit, edit_module)
        latents = empty_latents(edited)
        say(
            cls,
            f"{clip.plan.frames} frames of {width}x{height}, references: {len(references or [])}, strength "
            f"{strength:g}, from {start:g} to {end:g} of the steps. Edits on this model: {len(attached_edits(edited))}."
            f"{'' if where is None else ' ' + Cover.of(where).describe()}",
        )
        return io.NodeOutput(edited, {"samples": latents})


def check_module(edit_module: ModelPatcher) -> None:
    """Raises: `BadInput` for a model patch that is no edit module."""
    if not isinstance(edit_module.model, VaceModule):
        raise BadInput(
            f"this model patch is a {type(edit_module.model).__name__}, not an edit module: load one with Load edit "
            "module."
        )


def empty_latents(model: ModelPatcher) -> Tensor:
    """Zeros [1, 16, T, h, w], long enough for the edit with the most references.

    Raises: `BadInput` when the edits on the model were made for clips of different sizes.
    """
    edits = [edit for edit in attached_edits(model) if isinstance(edit, VaceEdit)]
    shapes = {tuple(context.context.shape[1:]) for edit in edits for context in edit.contexts}
    sizes = {shape[1:] for shape in shapes}
    if len(sizes) > 1:
        named = " and ".join(sorted(f"{8 * columns}x{8 * rows}" for rows, columns in sizes))
        raise BadInput(
            f"the edits on this model are for clips of {named} pixels: bring all clips to one size in their Clip nodes."
        )
    ((rows, columns),) = sizes
    frames = max(shape[0] for shape in shapes)
    device = comfy.model_management.intermediate_device()
    return torch.zeros(1, WAN.lattice.channels, frames, rows, columns, device=device)


def _inputs() -> list[io.Input]:
    """What Apply edit asks for, in the order of its widgets."""
    return [
        io.Model.Input(
            "model", tooltip="A Wan text-to-video MODEL from any loader, LoRAs and patches included."
        ),
        io.ModelPatch.Input("edit_module", tooltip="From Load edit module; as wide as the backbone."),
        io.Vae.Input("vae", tooltip="The Wan2.1 VAE (16 channels)."),
        WORKED_CLIP.Input("clip", display_name="video clip", tooltip="From Clip."),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip=(
                "Where and when to edit (1) and what to keep (0): one image, or one for each frame, of the "
                "clip's size. Without it everything is edited, as Ditto wants it."
            ),
        ),
        REFERENCES.Input("references", optional=True, tooltip="From References. Ditto was made without."),
        io.Float.Input(
            "strength",
            default=1.0,
            min=0.0,
            max=10.0,
            step=0.005,
            tooltip=(
                "How strongly the edit speaks; scales what it adds after each of its blocks. Lower it for more "
                "freedom from the source clip. Ditto uses 0.975, VACE 1."
            ),
        ),
        io.Float.Input(
            "start",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip=(
                "From which part of the sampler's steps on the edit acts: step i of n stands at i/n, so 0 "
                "begins with the first."
            ),
        ),
        io.Float.Input(
            "end",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="Until which part of the steps it acts, the end included. Lower it to let details go free.",
        ),
        skip_hints_input(),
        times_in_result_input(),
    ]
