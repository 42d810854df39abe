"""The guider: guidance on chosen steps and over several condition sets, and two experts in one run."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import comfy.sampler_helpers
import comfy.samplers
from comfy.model_patcher import ModelPatcher, set_model_options_patch_replace
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.sampling.condition_sets import Chain, ConditionSet, Sees
from reelpatch.sampling.guidance import GuidancePlan
from reelpatch.sampling.schedules import high_noise_steps, step_of

from .host import SEES_KEY, STEPS_KEY, num_references


class ScheduledGuider(comfy.samplers.CFGGuider):
    """Guidance on chosen steps; at the others the negative pass is not computed.

    Below the plan's boundary, where it has one, the `low_noise` expert goes on, with everything that hangs on the first.
    """

    plan: GuidancePlan
    low_noise: ModelPatcher | None = None

    def outer_sample(self, *args: Any, **kwargs: Any) -> Tensor:
        """As core's, and leaves nothing on the second expert."""
        try:
            return super().outer_sample(*args, **kwargs)
        finally:
            if self.low_noise is not None:
                self.low_noise.cleanup()

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any] | None = None,
        seed: int | None = None,
    ) -> Tensor:
        options = {} if model_options is None else model_options
        sigmas = options["transformer_options"]["sample_sigmas"]
        step = step_of(sigmas, float(timestep.flatten()[0]))
        plan = self._plan_with_expert(sigmas, step, x)
        chain = plan.guidance.chain(step)
        if chain.projection is not None or any(one.sees is not Sees.ALL for one in chain.sets):
            return self._over_sets(chain, x, timestep, options)
        scale = plan.guidance.scale if plan.guidance.enabled(step) else 1.0
        skipped = plan.skipped(step, len(sigmas) - 1)
        if skipped and scale != 1:
            options = {**options, "sampler_calc_cond_batch_function": _negative_skips(skipped)}
        return comfy.samplers.sampling_function(
            self.inner_model,
            x,
            timestep,
            self.conds.get("negative"),
            self.conds["positive"],
            scale,
            model_options=options,
            seed=seed,
        )

    def _plan_with_expert(self, sigmas: Tensor, step: int, x: Tensor) -> GuidancePlan:
        """The plan of the expert that works at a step, which then is in memory."""
        boundary = self.plan.boundary
        if self.low_noise is None or boundary is None or step < high_noise_steps(sigmas, boundary):
            return self.plan
        if self.inner_model is not self.low_noise.model:
            self._take_over(self.low_noise, x)
        # What follows the steps around the transformer's forward hangs on the first expert, and knows its own LoRAs alone.
        for wrapper in self.low_noise.get_wrappers(WrappersMP.DIFFUSION_MODEL, STEPS_KEY):
            wrapper.paths.at_step(step, len(sigmas) - 1)
        return self.plan.for_low_noise()

    def _take_over(self, low_noise: ModelPatcher, x: Tensor) -> None:
        # Its memory is asked for as the first one's was; where both do not fit, ComfyUI sends the first one away.
        low, _, models = comfy.sampler_helpers.prepare_sampling(
            low_noise, x.shape, self.conds, self.model_options
        )
        low.latent_shapes = self.inner_model.latent_shapes
        low_noise.pre_run()
        self.inner_model = low
        self.loaded_models += models

    def _over_sets(self, chain: Chain, x: Tensor, timestep: Tensor, options: dict[str, Any]) -> Tensor:
        """The denoised latents of a chain of passes, those that see the same segments in one call."""
        for name in ("sampler_cfg_function", "sampler_pre_cfg_function", "sampler_post_cfg_function"):
            if options.get(name):
                raise BadInput(
                    "another node changes how guidance is combined on this MODEL (such as APG, CFGZeroStar or RescaleCFG), but "
                    "these settings of Recipe combine it in a way of their own: take that node out, or type the guidance into "
                    "Guidance schedule instead of connecting its settings."
                )
        told: dict[ConditionSet, Tensor] = {}
        for sees in {one.sees: None for one in chain.sets}:
            seeing = {one.is_instructed: one for one in chain.sets if one.sees is sees}
            # The place in the list says which it is.
            conds = [
                self.conds["positive"] if True in seeing else None,
                self.conds.get("negative") if False in seeing else None,
            ]
            shown = {**options, "transformer_options": {**options["transformer_options"], SEES_KEY: sees}}
            predicted = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, shown)
            told |= {one: predicted[not is_instructed] for is_instructed, one in seeing.items()}
        return chain.combine(told)


def scheduled_guider(
    model: Any, positive: Any, negative: Any, plan: GuidancePlan, low_noise: Any = None
) -> ScheduledGuider:
    """A guider for these conditionings.

    Raises: `BadInput` where guidance has nothing to compare with, and for experts that are not the two that the plan needs.
    """
    _check_experts(model, low_noise, plan)
    plan = plan.for_references(num_references(model))
    if negative is None and (plan.guidance.scale != 1 or plan.guidance.sources):
        raise BadInput(
            f"guidance {plan.guidance.scale:g} compares with a negative prompt, but none is connected: connect one "
            "(its text may be empty), or use guidance 1."
        )
    guider = ScheduledGuider(model)
    guider.inner_set_conds({"positive": positive} | ({} if negative is None else {"negative": negative}))
    guider.set_cfg(plan.guidance.scale)
    guider.plan, guider.low_noise = plan, low_noise
    return guider


def _check_experts(model: ModelPatcher, low_noise: ModelPatcher | None, plan: GuidancePlan) -> None:
    if low_noise is None:
        if plan.boundary is not None:
            raise BadInput(
                "these settings of Recipe are for two experts, but one MODEL is connected: load the low-noise expert too, and "
                "connect it to 'low-noise model' of Guidance schedule."
            )
        return
    if plan.boundary is None:
        raise BadInput(
            "a low-noise model is connected, but nothing says at which step it takes over: connect the guidance of a Recipe "
            "with two experts, such as bernini-r, to 'settings', or take the model out."
        )
    if low_noise.model is model.model:
        raise BadInput(
            "both experts are the same MODEL, but the high-noise and the low-noise one are needed: load the other file."
        )
    one, other = (patcher.get_model_object("diffusion_model") for patcher in (model, low_noise))
    if type(one) is not type(other) or one.dim != other.dim:
        raise BadInput(
            f"the two experts are a {type(one).__name__} and a {type(other).__name__} of different sizes: load the pair of one model."
        )


def _negative_skips(blocks: Collection[int]) -> Any:
    def hand_on(arguments: dict[str, Any], _extra: dict[str, Any]) -> dict[str, Any]:
        return arguments

    def calculate(args: dict[str, Any]) -> list[Tensor]:
        model, x, sigma, options = (args[name] for name in ("model", "input", "sigma", "model_options"))
        positive, negative = args["conds"]
        skipping = dict(options)  # what follows writes into it
        for block in blocks:
            skipping = set_model_options_patch_replace(skipping, hand_on, "dit", "double_block", block)
        # Two calls instead of one: only the negative pass skips. Its place in the list says which it is.
        (conditional, _) = comfy.samplers.calc_cond_batch(model, [positive, None], x, sigma, options)
        (_, unconditional) = comfy.samplers.calc_cond_batch(model, [None, negative], x, sigma, skipping)
        return [conditional, unconditional]

    return calculate
