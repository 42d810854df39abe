"""Published ways to edit a clip: the files, the settings, the licence and where each is from."""

from reelpatch.recipes.by_name import RECIPES, recipe
from reelpatch.recipes.record import FOLDERS, KINDS, Recipe, Role, WeightFile

__all__ = ["FOLDERS", "KINDS", "RECIPES", "Recipe", "Role", "WeightFile", "recipe"]
