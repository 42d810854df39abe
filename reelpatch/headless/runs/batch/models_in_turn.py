"""The models of a recipe as one of several jobs has them: files and settings of its own, and runs when it is its turn."""

import copy
from typing import Any

from torch import Tensor

from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models.chosen_recipe import ChosenRecipe
from reelpatch.headless.models.lora import LoraReport
from reelpatch.headless.models.start_times import StartTimes
from reelpatch.headless.runs.batch.turns import Turn


class ModelsInTurn(ChosenRecipe):
    """As `Editor` and `Enhancer`, for a job that runs beside others. Raises: `BadInput` as `ChosenRecipe`."""

    def __init__(self, models: LoadedRecipe) -> None:
        super().__init__(models.kind, models.recipe, models.asked)
        self._models = models
        self._turn: Turn | None = None

    def of_job(self, turn: Turn) -> "ModelsInTurn":
        """For a job with that turn; what it settles is its own."""
        own = copy.copy(self)
        own._turn = turn
        return own

    def render(self, *args: Any, **options: Any) -> Tensor:
        """As `Editor.render`, in turn."""
        return self._run("render", *args, **options)

    def denoised(self, *args: Any, **options: Any) -> Tensor:
        """As `Enhancer.denoised`, in turn."""
        return self._run("denoised", *args, **options)

    def decoded(self, *args: Any, **options: Any) -> Tensor:
        """As `Enhancer.decoded`, in turn."""
        return self._run("decoded", *args, **options)

    def hand_over(self) -> None:
        """Ends the turn."""
        assert self._turn is not None
        self._turn.end()

    @property
    def start(self) -> StartTimes:
        """As `LoadedRecipe`."""
        return self._models.start

    @property
    def lora_reports(self) -> tuple[LoraReport, ...]:
        """As `LoadedRecipe`."""
        return self._models.lora_reports

    def _run(self, name: str, *args: Any, **options: Any) -> Tensor:
        assert self._turn is not None
        models, recipe = self._models, self.recipe
        return self._turn.run(lambda: getattr(models.under(recipe), name)(*args, **options))
