"""Paired generation and Finish pair: two clips of two captions, made side by side by attention sharing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.model_management
import torch
import torch.nn.functional as F
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.edits.sharing.edit import SharingEdit
from reelpatch.edits.sharing.schedule import SCHEDULES, Stages
from reelpatch.edits.sharing.work import before_onset, onset_latents
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.recipes import RECIPES

from .host import attach, check_backbone
from .host_vae import check_vae
from .instruction import check_conditioning
from .node_message import say
from .sockets import WORKED_CLIP

SAME, OWN = "same", "own"
ROWS = 2
ONSET_KEY = "reelpatch_onset"
"""In a LATENT of a pair: the frame from which on its clips may differ."""


class PairedGeneration(io.ComfyNode):
    """Source and target are two rows of one batch, so any sampler makes them; the sampler's negative is for both."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchPairedGeneration",
            display_name="Paired generation",
            category="reelpatch/pairs",
            description=(
                "Makes two clips that differ in one thing, of two captions, with any Wan text-to-video model: they read each "
                "other's self-attention (InsEdit's Mutual Context Attention). With a clip, that is the source, and the target "
                "is its edit. Connect all outputs to a guider or sampler, and Finish pair behind it."
            ),
            search_aliases=[
                "mutual context attention",
                "insedit",
                "prompt-to-prompt",
                "pair",
                "dataset",
                "attention",
            ],
            inputs=_pair_inputs(),
            outputs=[
                io.Model.Output(tooltip="For a guider or a sampler."),
                io.Conditioning.Output(display_name="positive", tooltip="Both captions, one for each clip."),
                io.Latent.Output(tooltip="Latents of both clips; sample them with denoise 1."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        source: Any,
        target: Any,
        recipe: str,
        change: str,
        onset: int,
        noise: str,
        width: int,
        height: int,
        frames: int,
        early: float,
        middle: float,
        vae: Any = None,
        clip: WorkedClip | None = None,
    ) -> io.NodeOutput:
        check_backbone(model, None, WAN.lattice.channels)
        record = RECIPES[recipe]
        method = record.sharing
        assert method is not None
        width, height = width or record.width, height or record.height
        frames = frames or record.frames
        stages = Stages(early or method.stages.early, middle or method.stages.middle)
        method = replace(method, change=change, stages=stages)
        if onset and noise == OWN:
            raise BadInput(
                "the clips are equal before the onset, which they cannot be with noise of their own: choose the same noise, "
                "or onset 0."
            )
        latent = _empty(width, height, frames) if clip is None else _given(clip, vae, onset)
        num_frames = frames if clip is None else clip.plan.frames
        if onset >= num_frames:
            raise BadInput(
                f"the onset is frame {onset}, but the clips have the frames 0 to {num_frames - 1}."
            )
        if noise == SAME or clip is not None:
            latent["batch_index"] = [0] * ROWS
        edit = SharingEdit(method, onset_latents(onset, WAN.lattice), is_given=clip is not None)
        both = _both(source, target)
        what = "Two clips" if clip is None else "The clip and its edit"
        say(cls, f"{what} share attention for a change of the kind {method.describe()}.")
        return io.NodeOutput(attach(model, edit, None), both, {**latent, ONSET_KEY: onset})


class FinishPair(io.ComfyNode):
    """Before the onset the target's pixels are the source's own."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchFinishPair",
            display_name="Finish pair",
            category="reelpatch/pairs",
            description=(
                "Decodes both clips of a pair. Before the onset the target's frames are the source's. Of a clip that was "
                "given, connect the target's latent to Finish clip, which gives it back at its own size, length and rate."
            ),
            search_aliases=["decode", "pair", "prompt-to-prompt", "insedit"],
            inputs=[
                io.Latent.Input("samples", tooltip="What the sampler made of Paired generation's latent."),
                io.Vae.Input("vae", tooltip="The Wan2.1 VAE (16 channels)."),
            ],
            outputs=[
                io.Image.Output(display_name="source", tooltip="The clip before the change."),
                io.Image.Output(display_name="target", tooltip="The clip after the change."),
                io.Latent.Output(display_name="target latent", tooltip="The target alone, for Finish clip."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, samples: dict[str, Any], vae: Any) -> io.NodeOutput:
        check_vae(vae)
        latents: Tensor = samples["samples"]
        if latents.ndim != 5 or len(latents) != ROWS:
            raise BadInput(
                f"the latents have the shape {tuple(latents.shape)}, but a pair's are [2, 16, frames, rows, columns]: connect "
                "what was sampled of Paired generation's latent."
            )
        onset: int = samples.get(ONSET_KEY, 0)
        tied = onset_latents(onset, WAN.lattice)
        target = torch.cat([latents[:1, :, :tied], latents[1:, :, tied:]], dim=2)
        first, second = (vae.decode(rows)[0].clamp(0, 1) for rows in (latents[:1], target))
        say(cls, f"{len(first)} frames each" + (f", equal before frame {onset}." if onset else "."))
        return io.NodeOutput(first, before_onset(first, second, onset), {"samples": target})


def _empty(width: int, height: int, frames: int) -> dict[str, Any]:
    """Raises: `BadInput` for a size or length that is not legal."""
    shape = WAN.lattice.latent_shape(frames, (height, width))
    device = comfy.model_management.intermediate_device()
    return {"samples": torch.zeros(ROWS, *shape, device=device)}


def _given(clip: WorkedClip, vae: Any, onset: int) -> dict[str, Any]:
    """A clip in both rows, of which the sampler keeps the first, and the second before the onset, at every step.

    Raises: `BadInput` without a VAE to encode it.
    """
    if vae is None:
        raise BadInput(
            "a clip is connected to Paired generation, but no VAE that encodes it: connect the Wan2.1 VAE."
        )
    check_vae(vae)
    latents = vae.encode(clip.frames)
    mask = torch.ones(ROWS, 1, *latents.shape[2:])
    mask[0] = 0
    mask[1, :, : onset_latents(onset, WAN.lattice)] = 0
    return {"samples": latents.repeat(ROWS, 1, 1, 1, 1), "noise_mask": mask}


def _both(source: Any, target: Any) -> Any:
    """One conditioning of two rows. Raises: `BadInput` for an empty text, and for more than one text a clip."""
    for name, one in (("source", source), ("target", target)):
        check_conditioning(one)
        if len(one) != 1 or len(one[0][0]) != 1:
            raise BadInput(
                f"the {name} of a pair has {sum(len(text) for text, _ in one)} texts, but it is one clip: connect one text."
            )
    (before, _), (after, options) = source[0], target[0]
    rows = max(before.shape[1], after.shape[1])
    padded = [F.pad(text, (0, 0, 0, rows - text.shape[1])) for text in (before, after)]
    return [[torch.cat(padded), dict(options)]]


def _pair_inputs() -> list[io.Input]:
    recipes = [record.name for record in RECIPES.values() if record.sharing is not None]
    return [
        io.Model.Input("model", tooltip="Any Wan text-to-video MODEL, from any loader."),
        io.Conditioning.Input(
            "source", tooltip="The caption of the clip before the change, from CLIP Text Encode."
        ),
        io.Conditioning.Input(
            "target", tooltip="The caption after the change: the same but for what is to differ."
        ),
        io.Combo.Input(
            "recipe",
            options=recipes,
            tooltip="Whose base the MODEL is: where the stages of the run end. Choose the same in Recipe.",
        ),
        io.Combo.Input(
            "change",
            options=list(SCHEDULES),
            default="local",
            tooltip="The kind of change: which attention is shared when. none shares nothing.",
        ),
        io.Int.Input(
            "onset",
            default=0,
            min=0,
            max=100_000,
            tooltip="The frame, counted from 0, from which on the clips may differ; before it they are equal.",
        ),
        io.Combo.Input(
            "noise",
            options=[SAME, OWN],
            tooltip="same: both clips begin at the same noise, which keeps them closer. own: each at its own.",
        ),
        *_size_inputs(),
        *_stage_inputs(),
        io.Vae.Input("vae", optional=True, tooltip="The Wan2.1 VAE (16 channels), where a clip is given."),
        WORKED_CLIP.Input(
            "clip",
            display_name="video clip",
            optional=True,
            tooltip="From Clip: the source is this clip, and the target its edit. Width, height and frames are then its own.",
        ),
    ]


def _size_inputs() -> list[io.Input]:
    return [
        *(
            io.Int.Input(
                name,
                default=0,
                min=0,
                max=8192,
                step=16,
                tooltip="Of both clips, in pixels; 0 is the recipe's.",
            )
            for name in ("width", "height")
        ),
        io.Int.Input(
            "frames", default=0, min=0, max=10_001, tooltip="Of both clips: 4n + 1; 0 is the recipe's."
        ),
    ]


def _stage_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            name,
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.001,
            round=0.0001,
            advanced=True,
            tooltip=f"The noise level (sigma) at which the {name} stage ends; 0 is the recipe's.",
        )
        for name in ("early", "middle")
    ]
