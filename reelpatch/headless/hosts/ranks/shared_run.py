"""What the other processes are told of a run of the solver, in which every process makes the same latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reelpatch.edits.work import Prepared
from reelpatch.headless.models.chosen_recipe import AskedModels
from reelpatch.headless.models.placement import Placement
from reelpatch.recipes import Recipe
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.noise import FrameNoise


@dataclass(frozen=True)
class SharedRun:
    """As `RecipeHost.sample` is given it; noise is not sent, as every process draws the same of the seed."""

    recipe: Recipe
    asked: AskedModels
    placement: Placement | None
    positive: Any
    negative: Any
    guidance: Guidance
    prepared: Prepared
    seed: int | FrameNoise
