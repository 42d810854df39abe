"""Enhance: a clip, and what goes over it once more, for core's own sampler."""

from typing import Any

import comfy.ldm.wan.model
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.recipes import RECIPES
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.guidance import GuidancePlan
from reelpatch.sampling.solvers import SOLVERS

from .guider import ScheduledGuider, scheduled_guider
from .host_vae import check_vae
from .node_message import say
from .sampling import FlowSampler
from .sockets import WORKED_CLIP


class Enhance(io.ComfyNode):
    """Core's sampler adds the noise itself: its flow models start from sigma * noise + (1 - sigma) * latents."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchEnhance",
            display_name="Enhance",
            category="reelpatch",
            description=(
                "Steadies and sharpens a clip, edited here or not: it is noised a little and denoised by the last steps "
                "of a schedule, as Ditto's enhancer does. Connect all outputs to SamplerCustomAdvanced, and its output to "
                "Finish clip."
            ),
            search_aliases=[
                "enhance",
                "enhance video",
                "denoise",
                "flicker",
                "ditto",
                "refine",
                "sdedit",
                "video to video",
            ],
            inputs=[
                *enhancer_links(),
                WORKED_CLIP.Input("clip", display_name="video clip", tooltip="From Clip."),
                *enhancer_widgets(),
            ],
            outputs=[
                io.Guider.Output(tooltip="For SamplerCustomAdvanced."),
                io.Sampler.Output(tooltip="For SamplerCustomAdvanced."),
                io.Sigmas.Output(
                    tooltip="For SamplerCustomAdvanced: the last steps of the recipe's schedule."
                ),
                io.Latent.Output(tooltip="For SamplerCustomAdvanced: the clip, without noise."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        vae: Any,
        positive: Any,
        clip: WorkedClip,
        recipe: str,
        last_steps: int,
        negative: Any = None,
    ) -> io.NodeOutput:
        check_vae(vae)
        guider, sampler, sigmas = enhancer_run(model, positive, negative, recipe, last_steps)
        record = RECIPES[recipe]
        latents = vae.encode(clip.frames)
        say(
            cls,
            f"{record.title}\nThe last {len(sigmas) - 1} of {record.steps} steps, from {100 * float(sigmas[0]):.1f} % "
            f"noise; {guider.plan.describe()}. {record.notes}",
        )
        return io.NodeOutput(
            guider,
            sampler,
            sigmas,
            {"samples": latents},
        )


def enhancer_run(
    model: ModelPatcher, positive: Any, negative: Any, recipe: str, last_steps: int
) -> tuple[ScheduledGuider, FlowSampler, Tensor]:
    """Guider, sampler and sigmas of a recipe that enhances; 0 last steps are the recipe's.

    Raises: `BadInput` as `check_enhancer`, `scheduled_guider` and `sigmas_of`.
    """
    check_enhancer(model)
    record = RECIPES[recipe]
    sigmas = sigmas_of(record, steps=last_steps or record.num_run_steps)
    plan = GuidancePlan(record.guidance, record.skip_layers)
    guider = scheduled_guider(model, positive, negative, plan)
    return guider, FlowSampler(SOLVERS[record.solver], dict(record.solver_options)), sigmas


def check_enhancer(model: ModelPatcher) -> None:
    """Raises: `BadInput` unless `model` is a Wan text-to-video backbone of 16 channels."""
    backbone = model.get_model_object("diffusion_model")
    is_wan = isinstance(backbone, comfy.ldm.wan.model.WanModel)
    if not is_wan or backbone.in_dim != WAN.lattice.channels or backbone.model_type != "t2v":
        what = f"a Wan model of {backbone.in_dim} channels" if is_wan else f"a {type(model.model).__name__}"
        raise BadInput(
            f"this MODEL is {what}, but clips are enhanced by a Wan text-to-video backbone of 16 channels: load Wan2.2 "
            "T2V-A14B's low-noise expert (wan2.2_t2v_low_noise_14B)."
        )


def enhancer_links() -> list[io.Input]:
    """The models and texts of an enhancer."""
    return [
        io.Model.Input("model", tooltip="Wan2.2 T2V-A14B's low-noise expert, or the demo's backbone."),
        io.Vae.Input("vae", tooltip="The Wan2.1 VAE (16 channels)."),
        io.Conditioning.Input("positive", tooltip="What the clip shows, or empty text."),
        io.Conditioning.Input("negative", optional=True, tooltip="Needed where the recipe has guidance."),
    ]


def enhancer_widgets() -> list[io.Input]:
    """Which recipe, and how strongly."""
    enhancers = [record.name for record in RECIPES.values() if record.enhances]
    return [
        io.Combo.Input("recipe", options=enhancers, tooltip="The method. It needs the files it names."),
        io.Int.Input(
            "last_steps",
            default=0,
            min=0,
            max=39,
            tooltip=(
                "How many of the schedule's last steps are taken; 0 is the recipe's, 4 for Ditto's. More change more; "
                "above 14, Wan2.2 would need its high-noise expert too."
            ),
        ),
    ]
