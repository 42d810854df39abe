"""Edit in context: the source clip's tokens beside those of the clip that is made, on a MODEL."""

from typing import Any

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.edits.instruction import check_instruction
from reelpatch.edits.segments.work import SegmentsWork
from reelpatch.edits.work import EditSettings, Material
from reelpatch.recipes import RECIPES
from reelpatch.sampling.guidance import StepRange

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
                "Puts the clip beside the one that is made, as VideoCoF and Bernini-R do: the model sees it at every step. "
                "Connect MODEL to a guider, LATENT to the sampler, and the prompt to CLIP Text Encode."
            ),
            search_aliases=["videocof", "bernini", "in-context", "edit video", "instruction"],
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
    ) -> io.NodeOutput:
        check_instruction(instruction)
        record = RECIPES[recipe]
        layout = record.segments
        assert layout is not None
        settings = EditSettings(record.strength, StepRange(start, end), method=layout)
        work = SegmentsWork()
        material = Material(clip.source, clip.plan, references=references or [])
        prepared = work.prepare(material, settings, encoder(vae))
        edited = model
        for edit in work.edits(None, prepared, settings):
            edited = attach(edited, edit, None)
        device = comfy.model_management.intermediate_device()
        latents = torch.zeros(1, *prepared.shape, device=device)
        prompt = record.prompt_for(instruction, references=len(references or []))
        told = f"{layout.told_of(instruction)} " if layout.told_of(instruction) else ""
        say(cls, f"{record.title}. {told}The model reads: {prompt}")
        return io.NodeOutput(edited, {"samples": latents}, prompt)


def _inputs() -> list[io.Input]:
    methods = [record.name for record in RECIPES.values() if record.segments is not None]
    return [
        io.Model.Input(
            "model", tooltip="Bernini-R 1.3B, or Wan2.1 T2V 14B with VideoCoF's LoRA, from any loader."
        ),
        io.Vae.Input("vae", tooltip="The Wan2.1 VAE (16 channels)."),
        WORKED_CLIP.Input("clip", display_name="video clip", tooltip="From Clip."),
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
        REFERENCES.Input(
            "references",
            optional=True,
            tooltip="From References, each as a picture of its own. For Bernini-R; VideoCoF takes none.",
        ),
    ]
