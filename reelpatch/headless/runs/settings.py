"""The recipe of a run with what its request says otherwise."""

from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from reelpatch.errors import BadInput
from reelpatch.headless.runs.request import EditRequest, EnhanceRequest
from reelpatch.recipes import Recipe, recipe
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.sampling.step_range import StepRange

_MAX_SEED = 2**63 - 1


class RunOptions(Protocol):
    """What a request may say otherwise than its recipe."""

    @property
    def recipe(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def steps(self) -> int | None: ...
    @property
    def guidance(self) -> float | None: ...
    @property
    def guidance_steps(self) -> int | None: ...
    @property
    def strength(self) -> float | None: ...
    @property
    def window(self) -> tuple[float, float] | None: ...
    @property
    def skip_hints(self) -> bool: ...


def chosen_settings(request: RunOptions) -> Recipe:
    """The recipe with what the request says otherwise.

    Raises: `BadInput` for an unknown recipe and for numbers that it cannot run with.
    """
    settings = recipe(request.recipe)
    check_seed(request.seed)
    strength = settings.strength if request.strength is None else request.strength
    if not 0 <= strength < float("inf"):
        raise BadInput(
            f"the strength is {strength:g}: use 0 (no edit) to 1 (all of it), or a little more (--strength)."
        )
    if (settings.segments or settings.sharing or settings.channels) is not None and strength not in (0, 1):
        raise BadInput(
            f"the strength is {strength:g}, but the recipe '{settings.name}' sees its source or does not: use 1, or 0 for a clip "
            "that is made of the text alone.",
            setting="strength",
        )
    if request.skip_hints and settings.skip_layers is None:
        raise BadInput(
            f"the recipe '{settings.name}' skips no block, so there is no hint to be skipped with it: leave the option out.",
            setting="skip_hints",
        )
    settings = replace(
        settings,
        strength=strength,
        skip_hints=request.skip_hints,
        steps=settings.steps if request.steps is None else request.steps,
        window=settings.window if request.window is None else StepRange(*request.window),
    ).guided(request.guidance, request.guidance_steps)
    _check_schedule(settings.schedule, settings.steps, settings.shift)
    return settings


@lru_cache(maxsize=64)
def _check_schedule(schedule: str, steps: int, shift: float) -> None:
    """Raises: `BadInput` as `make_sigmas`."""
    make_sigmas(schedule, steps, shift=shift)


def edit_settings(request: EditRequest) -> Recipe:
    """As `chosen_settings`, for the kind of change, the way of obeying a mask's times and the steps at half the size that are asked for.

    Raises: `BadInput` as `with_change`, `check_sees_clip` and `begun_at_half_size`, and for times in the result of a recipe that begins at them itself.
    """
    settings = with_change(chosen_settings(request), request.change)
    check_sees_clip(settings)
    settings = settings.begun_at_half_size(request.half_size_steps)
    if request.times_in_result is None:
        return settings
    if request.times_in_result and settings.sharing is not None:
        raise BadInput(
            f"the recipe '{settings.name}' takes everything before a start from the source while it works, so that times cannot act "
            "in the result alone: leave this out.",
            setting="times_in_result",
        )
    return replace(settings, times_in_result=request.times_in_result)


def check_sees_clip(settings: Recipe) -> None:
    """Raises: `BadInput` for a recipe that makes a clip of references alone."""
    if not settings.sees_clip:
        raise BadInput(
            f"the recipe '{settings.name}' makes a clip of references alone and sees none that could be edited: run `reelpatch task "
            "reference`, or choose a recipe that edits clips, such as bernini-r-1.3b.",
            setting="recipe",
        )


def with_change(settings: Recipe, change: str | None) -> Recipe:
    """The recipe for a kind of change, None for its own. Raises: `BadInput` for an unknown one, and where none is asked for."""
    if change is None:
        return settings
    if settings.sharing is None:
        raise BadInput(
            f"a kind of change was given, but the recipe '{settings.name}' has one way for all of them: leave it out, or use "
            "shared-attention.",
            setting="change",
        )
    return replace(settings, sharing=replace(settings.sharing, change=change))


def check_seed(seed: int) -> None:
    """Raises: `BadInput` for a seed that is no number of 63 bits."""
    if not 0 <= seed <= _MAX_SEED:
        raise BadInput(f"the seed is {seed}: use a whole number from 0 to {_MAX_SEED} (--seed).")


def enhance_settings(request: EnhanceRequest) -> Recipe:
    """The recipe with what the request says otherwise.

    Raises: `BadInput` for an unknown recipe, one that does not enhance, and numbers that it cannot run with.
    """
    settings = recipe(request.recipe)
    settings.check_enhances()
    check_seed(request.seed)
    steps = settings.num_run_steps if request.steps is None else request.steps
    if steps == settings.steps and settings.expert_boundary is None:
        raise BadInput(
            f"all {steps} steps begin at noise alone, of which nothing of the clip is left: use 1 to {steps - 1} (--steps)."
        )
    sigmas_of(settings, steps=steps)  # refuses what it cannot do
    return replace(settings, start_step=settings.steps - steps).guided(
        request.guidance, request.guidance_steps
    )
