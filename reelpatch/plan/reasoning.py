"""What each choice of reasoning steps costs, where pictures are edited."""

from dataclasses import dataclass, replace

from reelpatch.plan.job import Job, count_work
from reelpatch.plan.models import Models

_TENTHS = (0, 1, 2, 4, 10)  # of a run's steps


@dataclass(frozen=True)
class ReasoningCost:
    """The FLOPs of all forwards with so many steps of reasoning, and how many times that is the work without any."""

    steps: int
    denoise: int
    times_plain: float


def reasoning_costs(job: Job, models: Models) -> tuple[ReasoningCost, ...]:
    """The costs of a few choices from none to all steps, the job's own among them; empty for recipes that edit clips."""
    recipe = job.recipe
    if recipe.picture is None:
        return ()
    choices = {recipe.steps * tenths // 10 for tenths in _TENTHS} | {recipe.picture.reasoning_steps}

    def denoise(steps: int) -> int:
        chosen = recipe.reasoning_for(steps)
        return count_work(replace(job, recipe=chosen, frames=chosen.frames), models).denoise.total

    plain = denoise(0)
    return tuple(ReasoningCost(steps, cost := denoise(steps), cost / plain) for steps in sorted(choices))
