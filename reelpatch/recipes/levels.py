"""The noise levels that a recipe is run over."""

from torch import Tensor

from reelpatch.edits.enhance.noising import last_steps
from reelpatch.recipes.record import Recipe
from reelpatch.sampling.schedules import make_sigmas


def sigmas_of(recipe: Recipe, *, steps: int | None = None, shift: float | None = None) -> Tensor:
    """The sigmas of a run, falling, the last 0; of a recipe that enhances, those of its schedule's last `steps`.

    Steps and shift are the recipe's unless given.
    Raises: `BadInput` as `make_sigmas` and `last_steps`.
    """
    shift = recipe.shift if shift is None else shift
    if not recipe.enhances:
        return make_sigmas(recipe.schedule, recipe.steps if steps is None else steps, shift=shift)
    whole = make_sigmas(recipe.schedule, recipe.steps, shift=shift)
    return last_steps(
        whole, recipe.num_run_steps if steps is None else steps, boundary=recipe.expert_boundary
    )
