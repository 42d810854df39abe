"""What a pair of a data set runs with."""

from dataclasses import replace

from reelpatch.headless.runs.request import RunRequest
from reelpatch.recipes import Recipe, recipe
from reelpatch.sampling.schedules import make_sigmas


def pair_settings(request: RunRequest) -> Recipe:
    """The recipe with what the request says otherwise. Raises: `BadInput` for what it cannot run with."""
    settings = recipe(request.recipe)
    settings.check_shares()
    height, width = request.size or (settings.height, settings.width)
    settings = replace(
        settings,
        height=height,
        width=width,
        frames=settings.frames if request.frames is None else request.frames,
        fps=settings.fps if request.fps is None else float(request.fps),
        steps=settings.steps if request.steps is None else request.steps,
    ).guided(request.guidance, request.guidance_steps)
    settings.lattice.latent_shape(settings.frames, (height, width))  # refuses what is not legal
    make_sigmas(settings.schedule, settings.steps, shift=settings.shift)
    return settings
