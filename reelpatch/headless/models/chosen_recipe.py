"""A recipe with its files and what this machine is to do with them: everything that is known before weights are read.

Nothing here needs the libraries that run models, so that many runs are checked and planned in little time and memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from reelpatch.errors import BadInput
from reelpatch.headless.models.chosen_lora import ChosenLora
from reelpatch.headless.models.device_choice import (
    DTYPES,
    check_multiplies_float8,
    choose_device,
    choose_dtype,
)
from reelpatch.headless.models.machine_options import MachineOptions
from reelpatch.headless.models.placement import card_bytes
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.headless.models.text_checks import text_check_of
from reelpatch.plan.models import checked_vae_dtype
from reelpatch.recipes import Recipe
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.strengths import StrengthSchedule
from reelpatch.weights.weight_files import expect_weights

Chosen = TypeVar("Chosen", bound="ChosenRecipe")


@dataclass(frozen=True)
class RunKind:
    """What a recipe is run for. `check` and `check_files` raise `BadInput` for one, or for files, that are not made for it."""

    check: Callable[[Recipe], object]
    check_files: Callable[[Recipe, RecipeFiles], None] = lambda _recipe, _files: None


def _check_enhances(recipe: Recipe) -> None:
    recipe.check_enhances()
    sigmas_of(recipe)


def _check_looks(recipe: Recipe, files: RecipeFiles) -> None:
    (file,) = recipe.files_for("backbone")
    backbone = expect_weights(files.backbone, *file.kinds)
    if files.clip_vision is not None and not backbone.has_picture_branch:
        raise BadInput(
            f"{backbone.path} is {backbone.words}, without the branch for a picture's embedding: the recipe "
            f"'{recipe.name}' needs {file.names[0]}, or another copy of it."
        )


EDITS = RunKind(Recipe.check_edits)
ENHANCES = RunKind(_check_enhances)
PICTURES = RunKind(Recipe.check_pictures, _check_looks)
PAIRS = RunKind(Recipe.check_shares)


@dataclass(frozen=True)
class AskedModels:
    """What is asked of the models of a recipe; `loras` come on top of its own, and `merge_loras` adds all of them to the weights, to stay there."""

    models: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    loras: tuple[ChosenLora, ...] = ()
    merge_loras: bool = False
    machine: MachineOptions = MachineOptions()

    @property
    def options(self) -> dict[str, Any]:
        """To make another one of."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class ChosenRecipe:
    """A recipe for one kind of run, with the files of its weights.

    Raises: `BadInput` for weight files that are missing or of the wrong kind, and for a device, dtype or limit that this machine
    does not have.
    """

    def __init__(self, kind: RunKind, recipe: Recipe, asked: AskedModels) -> None:
        kind.check(recipe)
        self._kind = kind
        self.recipe, self.asked = recipe, asked
        self.machine, self.merge_loras = asked.machine, asked.merge_loras
        if recipe.model_family.headless is None:
            raise BadInput(
                f"models of the family '{recipe.model_family.name}' run in ComfyUI alone: edit with them there."
            )
        self.files = self.find_files()
        kind.check_files(recipe, self.files)
        of_recipe = (ChosenLora(path, StrengthSchedule((strength,))) for path, strength in self.files.loras)
        self.loras = (*of_recipe, *asked.loras)
        for lora in self.loras:
            lora.check(recipe.num_run_steps, merged=asked.merge_loras)
        self.device = choose_device(self.own_device(asked.device))
        self.dtype = choose_dtype(asked.dtype, self.device, self.files.backbone)
        self.vae_dtype = DTYPES[checked_vae_dtype(asked.machine.vae_dtype)]
        if asked.machine.float8_products:
            check_multiplies_float8(self.device)
        self.card_bytes: int | None = card_bytes(self.device, asked.machine.vram_limit)
        self._text_check = text_check_of(recipe.model_family)
        self._text_check.check_files(self.files)

    def find_files(self) -> RecipeFiles:
        """Where they are. Raises: `BadInput` as `RecipeFiles.find`."""
        return RecipeFiles.find(self.recipe, self.asked.models)

    def own_device(self, name: str) -> str:
        """The device of this process, of what was named for all."""
        return name

    def under(self: Chosen, recipe: Recipe) -> Chosen:
        """The same files, for runs by other settings of their recipe. Raises: `BadInput` as for a new one."""
        self._kind.check(recipe)
        if recipe.num_run_steps != self.recipe.num_run_steps:
            for lora in self.loras:
                lora.check(recipe.num_run_steps, merged=self.merge_loras)
        self.recipe = recipe
        return self

    def hand_over(self) -> None:
        """Says that this run asks nothing more of the models: a job that waits for them may go on."""

    @property
    def weight_files(self) -> list[tuple[str, Path]]:
        """Every file of weights, with what it is called."""
        files = self.files
        named = {
            "backbone": files.backbone,
            "low-noise backbone": files.low_noise,
            "edit module": files.module,
            "VAE": files.vae,
            "text encoder": files.text_encoder,
            "byT5 text encoder": files.glyph_encoder,
            "picture encoder": files.clip_vision,
        }
        found = [(name, path) for name, path in named.items() if path is not None]
        return found + [("LoRA", lora.path) for lora in self.loras]

    def check_text(self, text: str) -> None:
        """Raises: `BadInput` for words that the text encoder cannot know, from its header alone: the demo's knows few."""
        self._text_check.check(self.files, text)
