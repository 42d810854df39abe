"""Edit in context: the source clip's tokens beside those of the clip that is made, on a MODEL."""

from dataclasses import replace
from typing import Any

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.frames import FitPlan
from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.edits.instruction import check_instruction
from reelpatch.edits.work import EditSettings, Material
from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice
from reelpatch.recipes import RECIPES, Recipe
from reelpatch.sampling.step_range import StepRange

from .context_module import check_fit, check_module, with_lora
from .grounding_film import GROUNDING_KEY
from .host import attach
from .host_vae import encoder
from .node_message import say
from .sockets import REFERENCES, WORKED_CLIP


class EditInContext(io.ComfyNode):
    """The method's layout comes from its recipe; sampler, sigmas and guidance from Recipe, with the same name."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchEditInContext",
            display_name="Edit in context",
            category="reelpatch",
            description=(
                "Puts the clip beside the one that is made, as VideoCoF, Bernini-R, EasyV2V and ReCo do: the model sees it at every step. "
                "Connect MODEL to a guider, LATENT to the sampler, and the prompt to CLIP Text Encode."
            ),
            search_aliases=[
                "videocof",
                "bernini",
                "easyv2v",
                "reco",
                "in-context",
                "edit video",
                "instruction",
            ],
            inputs=_inputs(),
            outputs=[
                io.Model.Output(tooltip="For a guider or a sampler."),
                io.Latent.Output(tooltip="Empty latents of the right size."),
                io.String.Output(
                    display_name="prompt", tooltip="What the model is to read, for CLIP Text Encode."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        vae: Any,
        clip: WorkedClip,
        recipe: str,
        instruction: str,
        start: float,
        end: float,
        references: list[Tensor] | None = None,
        edit_module: ModelPatcher | None = None,
        mask: Tensor | None = None,
    ) -> io.NodeOutput:
        check_instruction(instruction)
        record = RECIPES[recipe]
        _check_clip(record, clip)
        module = check_module(record, edit_module, mask)
        family = check_fit(model, module)
        plan = _plan_on(family.lattice, clip.plan)
        settings = EditSettings(record.strength, StepRange(start, end), method=record.method)
        work = record.edit_kind.start_work()
        where = None if mask is None else clip.source_mask(mask)
        material = Material(clip.source, plan, where, references or [])
        prepared = work.prepare(material, settings, encoder(vae, family))
        edited = with_lora(model, module)
        for edit in work.edits(module, prepared, settings):
            edited = attach(edited, edit, edit_module)
        device = comfy.model_management.intermediate_device()
        latents: dict[str, Any] = {"samples": torch.zeros(1, *prepared.shape, device=device)}
        if record.segments is not None and record.segments.grounding:
            latents[GROUNDING_KEY] = record.segments.grounding
        prompt = record.prompt_for(instruction, references=len(references or []))
        told = "" if record.segments is None else record.segments.told_of(instruction)
        say(cls, f"{record.title}. {f'{told} ' if told else ''}The model reads: {prompt}")
        return io.NodeOutput(edited, latents, prompt)


def _check_clip(record: Recipe, clip: WorkedClip) -> None:
    """Raises: `BadInput` for a clip with pictures where none is seen, and for one without any where it is edited."""
    is_empty = clip.made_up is not None and bool(clip.made_up.min() > 0)
    if record.sees_clip and is_empty:
        raise BadInput(
            f"the video clip is gray, all of it to be made up, but '{record.name}' edits a clip: connect one from Clip, or choose a recipe "
            f"that makes a clip of references, such as {_of_references()[0]}."
        )
    if not (record.sees_clip or is_empty):
        raise BadInput(
            f"a video clip is connected, but '{record.name}' makes one of references alone: connect that of VACE task with the task "
            "'reference', which says its size and length, or choose a recipe that edits clips, such as bernini-r-1.3b."
        )


def _of_references() -> list[str]:
    return [record.name for record in RECIPES.values() if not record.sees_clip]


def _plan_on(lattice: Lattice, plan: FitPlan) -> FitPlan:
    """The plan for models of that lattice. Raises: `BadInput` for a working size that is not legal there."""
    legal = lattice.nearest_size(*plan.size)
    if plan.size != legal:
        raise BadInput(
            f"the clip is worked on at {plan.size[1]}x{plan.size[0]}, but this MODEL takes multiples of {lattice.size_multiple} "
            f"pixels: connect its VAE to Clip, or set width and height there to {legal[1]}x{legal[0]}."
        )
    return replace(plan, lattice=lattice)


def _inputs() -> list[io.Input]:
    methods = [record.name for record in RECIPES.values() if record.segments or record.canvas]
    return [
        io.Model.Input(
            "model",
            tooltip=(
                "Bernini-R, Wan2.1 T2V 14B with VideoCoF's LoRA, T2V 1.3B with ReCo's, or Wan2.2 TI2V-5B for an edit adapter, from "
                "any loader."
            ),
        ),
        io.Vae.Input(
            "vae", tooltip="The Wan2.1 VAE (16 channels); with Wan2.2 TI2V-5B the Wan2.2 VAE (48 channels)."
        ),
        WORKED_CLIP.Input(
            "clip",
            display_name="video clip",
            tooltip="From Clip; for a clip of references alone (bernini-r-r2v) from VACE task, which says its size and length.",
        ),
        io.Combo.Input(
            "recipe",
            options=methods,
            tooltip="The method: how it lays out the clips, and how it words the prompt. Choose the same in Recipe.",
        ),
        io.String.Input(
            "instruction",
            multiline=True,
            default="",
            tooltip="What is to change, such as: Remove the lamp. VideoCoF's prompt is made from it.",
        ),
        io.Float.Input(
            "start",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="From which part of the sampler's steps on the source is seen.",
        ),
        io.Float.Input(
            "end",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="Until which part of the steps the source is seen.",
        ),
        *_optional_inputs(),
    ]


def _optional_inputs() -> list[io.Input]:
    return [
        REFERENCES.Input(
            "references",
            optional=True,
            tooltip=(
                "From References, each as a picture of its own. For Bernini-R, up to 16; one for EasyV2V and reco-ref; VideoCoF takes none."
            ),
        ),
        io.ModelPatch.Input(
            "edit_module",
            optional=True,
            tooltip="For EasyV2V an edit adapter, for ReCo the module of VACE 1.3B with ReCo's LoRA, from Load edit module.",
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip=(
                "For EasyV2V: where and when to edit (1), one image, or one for each frame, of the clip's size. Without it, the "
                "instruction alone says so. Connect it to Finish clip too, so that the rest stays as it is."
            ),
        ),
    ]
