"""Runs of the same job that compute less and make something else: guidance at the first steps alone, the first steps at half the size."""

from dataclasses import dataclass, replace

from reelpatch.plan.job import Job, count_work
from reelpatch.plan.models import Models
from reelpatch.recipes import Recipe

# Of a run's steps so many may begin at half the size and leave the result near (docs/measured.md).
HALF_SIZE_SHARE = 4


@dataclass(frozen=True)
class LighterRun:
    """A run with guidance at the first `guidance_steps` alone, None for those of the job, and its first `half_size_steps` at half the
    size: its forwards, the FLOPs of all of them, and how many times that is those of the job as it is.
    """

    guidance_steps: int | None
    half_size_steps: int
    forwards: int
    denoise: int
    times: float

    def describe(self) -> str:
        """What is done otherwise."""
        parts: list[str] = []
        if self.guidance_steps is not None:
            parts.append(f"guidance at {_first(self.guidance_steps)} alone")
        if self.half_size_steps:
            parts.append(f"{_first(self.half_size_steps)} at half the size")
        return ", ".join(parts)


def lighter_runs(job: Job, models: Models) -> tuple[LighterRun, ...]:
    """With guidance at the first step alone, and at half of the steps; with the first steps at half the size; and with guidance at the
    first alone and those at half the size. Those that compute no less than the job are left out.
    """
    recipe = job.recipe
    steps = recipe.num_run_steps
    guidance = recipe.guidance_for(job.references)
    guided = sum(guidance.enabled(step) for step in range(steps))
    fewer: list[int | None] = [one for one in sorted({1, steps // 2}) if 0 < one < guided]
    half = max(1, steps // HALF_SIZE_SHARE)
    can_halve = recipe.kind == "vace" and steps > 1 and not recipe.half_size_steps
    chosen = [(one, 0) for one in fewer]
    if can_halve:
        chosen += [(one, half) for one in (None, *fewer[:1])]
    full = count_work(job, models).denoise.total
    return tuple(_run(job, models, *one, full) for one in chosen)


def _run(job: Job, models: Models, guidance_steps: int | None, half_size_steps: int, full: int) -> LighterRun:
    recipe: Recipe = job.recipe.guided(None, guidance_steps)
    if half_size_steps:
        recipe = recipe.begun_at_half_size(half_size_steps)
    lighter = replace(job, recipe=recipe)
    denoise = count_work(lighter, models).denoise.total
    return LighterRun(guidance_steps, half_size_steps, len(list(lighter.passes())), denoise, denoise / full)


def _first(steps: int) -> str:
    return "the first step" if steps == 1 else f"the first {steps} steps"
