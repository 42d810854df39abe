"""The recipes that there are, and how to get one by name."""

from collections.abc import Mapping
from difflib import get_close_matches

from reelpatch.errors import BadInput
from reelpatch.recipes.channels import CHANNELS
from reelpatch.recipes.in_context import IN_CONTEXT
from reelpatch.recipes.methods import METHODS
from reelpatch.recipes.record import Recipe
from reelpatch.recipes.shared_attention import SHARED_ATTENTION

RECIPES: Mapping[str, Recipe] = {
    record.name: record for record in (*METHODS, *IN_CONTEXT, *CHANNELS, *SHARED_ATTENTION)
}


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises: BadInput for an unknown name; the message offers the closest ones, or all.
    """
    if name in RECIPES:
        return RECIPES[name]
    close = get_close_matches(name, RECIPES, cutoff=0.5) or list(RECIPES)
    raise BadInput(f"there is no recipe '{name}': did you mean {' or '.join(close)}?")
