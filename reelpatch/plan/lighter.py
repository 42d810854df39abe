"""Runs of the same job that compute less and make something else: guidance at the first steps alone."""

from dataclasses import dataclass, replace

from reelpatch.plan.job import Job, count_work
from reelpatch.plan.models import Models


@dataclass(frozen=True)
class LighterRun:
    """A run with guidance at the first `guidance_steps` alone: its forwards, the FLOPs of all of them, and how many times that is those
    of the job as it is.
    """

    guidance_steps: int
    forwards: int
    denoise: int
    times: float


def lighter_runs(job: Job, models: Models) -> tuple[LighterRun, ...]:
    """With guidance at the first step alone, and at half of the steps; empty where that is no less than the job computes."""
    recipe = job.recipe
    guidance = recipe.guidance_for(job.references)
    guided = sum(guidance.enabled(step) for step in range(recipe.num_run_steps))
    full = count_work(job, models).denoise.total
    return tuple(
        _run(replace(job, recipe=recipe.guided(None, steps)), models, steps, full)
        for steps in sorted({1, recipe.num_run_steps // 2})
        if 0 < steps < guided
    )


def _run(job: Job, models: Models, steps: int, full: int) -> LighterRun:
    denoise = count_work(job, models).denoise.total
    return LighterRun(steps, len(list(job.passes())), denoise, denoise / full)
