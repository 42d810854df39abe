"""The engine's solvers as ComfyUI's SAMPLER, and the node that makes a guider."""

import re
from collections.abc import Collection
from typing import Any

import comfy.samplers
import torch
from comfy_api.latest import io
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.sampling.guidance import Guidance, GuidancePlan, SkipLayers
from reelpatch.sampling.solvers import SOLVERS

from .guider import scheduled_guider
from .host import attached_edits
from .instruction import check_conditioning
from .sockets import GUIDANCE

_DIGITS, _SHOWN = 5, 40  # of a number in a list, and of what is no number
_COUNT = re.compile(rf"[0-9]{{1,{_DIGITS}}}")


class FlowSampler(comfy.samplers.KSAMPLER):
    """A solver of the engine's that starts from pure noise, as the published pipelines do.

    ComfyUI scales the noise by the first sigma, which Wan's own schedules keep a little below 1.
    """

    def sample(
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any,
        noise: Tensor,
        latent_image: Tensor | None = None,
        denoise_mask: Tensor | None = None,
        disable_pbar: bool = False,
    ) -> Tensor:
        if denoise_mask is not None and "between" in self.extra_options:
            raise BadInput(
                "the latent has a noise mask, which cannot follow frames that are dropped in the middle of a run: take Set "
                "Latent Noise Mask out; Picture has a mask of its own."
            )
        is_empty = latent_image is None or not bool(torch.count_nonzero(latent_image))
        if is_empty and denoise_mask is None and sigmas[0] > 0:
            noise = noise / sigmas[0]
        return super().sample(
            model_wrap, sigmas, extra_args, callback, noise, latent_image, denoise_mask, disable_pbar
        )


class FlowUniPC(io.ComfyNode):
    """Core's uni_pc is another variant: of other order and with another end."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchFlowUniPC",
            display_name="Flow UniPC",
            category="reelpatch/sampling",
            description=(
                "The UniPC sampler that Wan, VACE, VDOT and Ditto's workflow run, order 2 with corrector. For SamplerCustom "
                "and SamplerCustomAdvanced, with the sigmas of Recipe or of a scheduler node."
            ),
            search_aliases=["unipc", "sampler", "wan"],
            inputs=[
                io.Combo.Input(
                    "solver",
                    options=list(SOLVERS),
                    default="unipc",
                    tooltip=(
                        "unipc: the published one. euler: straight steps, for DiffSynth's and LightX2V's schedules. "
                        "renoise: fresh noise after each step, for CausVid and Self-Forcing without UniPC."
                    ),
                ),
                io.Boolean.Input(
                    "whole_timesteps",
                    default=True,
                    advanced=True,
                    tooltip=(
                        "Show the network timesteps cut to whole numbers, as Wan's own scheduler does. Turn it off for "
                        "euler schedules, which use fractions. renoise never cuts."
                    ),
                ),
            ],
            outputs=[io.Sampler.Output()],
        )

    @classmethod
    def execute(cls, solver: str, whole_timesteps: bool) -> io.NodeOutput:
        options = {} if solver == "renoise" else {"truncate_timesteps": whole_timesteps}
        return io.NodeOutput(FlowSampler(SOLVERS[solver], options))


class GuidanceSchedule(io.ComfyNode):
    """Skip-layer guidance as Ditto's workflow has it: the negative pass goes around whole blocks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchGuidanceSchedule",
            display_name="Guidance schedule",
            category="reelpatch/sampling",
            description=(
                "A guider with guidance (CFG) on chosen steps only, and skipped blocks in the negative pass. Steps "
                "without guidance cost half."
            ),
            search_aliases=["cfg", "slg", "skip layer guidance", "guider"],
            inputs=_guidance_inputs(),
            outputs=[io.Guider.Output(tooltip="For SamplerCustomAdvanced.")],
        )

    @classmethod
    def validate_inputs(cls, steps: object = "", skip_blocks: object = "") -> bool | str:
        """Text that is no list of numbers is refused before the run, whether `settings` replace it or not."""
        try:
            numbers(str(steps), "steps")  # the API may send any JSON
            numbers(str(skip_blocks), "skip_blocks")
        except BadInput as bad:
            return str(bad)
        return True

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        cfg: float,
        steps: str,
        skip_blocks: str,
        skip_start: float,
        skip_end: float,
        negative: Any = None,
        settings: GuidancePlan | None = None,
        low_noise: Any = None,
    ) -> io.NodeOutput:
        if attached_edits(model):
            check_conditioning(positive)
        plan = settings or GuidancePlan(
            Guidance(cfg, numbers(steps, "steps")), skip_layers(skip_blocks, skip_start, skip_end)
        )
        return io.NodeOutput(scheduled_guider(model, positive, negative, plan, low_noise))


def numbers(text: str, name: str) -> Collection[int] | None:
    """The whole numbers in "0-2, 5"; None for empty text. Raises: `BadInput` naming the widget."""
    found: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, _, last = part.partition("-")
        ends = first, last or first
        if not all(_COUNT.fullmatch(end) for end in ends) or int(ends[1]) < int(ends[0]):
            raise BadInput(
                f"'{part[:_SHOWN]}' in {name} is neither a number of up to {_DIGITS} digits nor a range such as 0-2: separate "
                "them by commas."
            )
        found.update(range(int(ends[0]), int(ends[1]) + 1))
    return frozenset(found) or None


def skip_layers(blocks: str, start: float, end: float) -> SkipLayers | None:
    """The widgets of skip-layer guidance as the engine's record; None when no block is named."""
    chosen = numbers(blocks, "skip_blocks")
    return None if chosen is None else SkipLayers(tuple(sorted(chosen)), start, end)


def _guidance_inputs() -> list[io.Input]:
    """What Guidance schedule asks for, in the order of its widgets."""
    return [
        io.Model.Input("model", tooltip="With the edits on it; of two experts the one for high noise."),
        io.Conditioning.Input("positive", tooltip="The instruction."),
        io.Conditioning.Input("negative", optional=True, tooltip="Needed where guidance is not 1."),
        GUIDANCE.Input("settings", optional=True, tooltip="From Recipe; replaces all of the settings below."),
        io.Float.Input(
            "cfg",
            default=1.0,
            min=0.0,
            max=100.0,
            step=0.1,
            round=0.01,
            tooltip="Guidance scale. 1: none, half the time. Ditto in 4 steps 1.2; in 50 steps, and VACE, 5.",
        ),
        io.String.Input(
            "steps",
            default="",
            tooltip="The steps that have guidance, counted from 0, such as 0 or 0-2,5. Empty: all of them.",
        ),
        io.String.Input(
            "skip_blocks",
            default="",
            tooltip="Main blocks that the negative pass goes around, such as 2. Empty: none. Ditto: 2.",
        ),
        io.Float.Input(
            "skip_start",
            default=0.2,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="From which part of the steps blocks are skipped (step i of n stands at i/n).",
        ),
        io.Float.Input(
            "skip_end",
            default=0.7,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="Until which part of the steps blocks are skipped, the end included.",
        ),
        io.Model.Input(
            "low_noise",
            display_name="low-noise model",
            optional=True,
            tooltip=(
                "The second expert of Wan2.2 or Bernini-R 14B, plain: the edits on the first one work on it too. Recipe's "
                "guidance says when it takes over."
            ),
        ),
    ]
