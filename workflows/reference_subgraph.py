"""A video of what reference pictures show, as one node: Bernini-R without a source clip."""

from __future__ import annotations

from reelpatch.recipes import Recipe
from workflows.context_subgraph import edit_in_context
from workflows.edit_subgraphs import BLUE, GOLD, GREEN, RED, VIOLET
from workflows.graph import Stage
from workflows.material_nodes import OTHER_SUBJECT, SUBJECT, load_image
from workflows.recipe_nodes import (
    NAME,
    Sampled,
    finish,
    load_models,
    recipe_node,
    result_name,
    sampling,
    texts,
)
from workflows.subgraph import BLUEPRINT, Subgraph, boundary
from workflows.task_graphs import Prepared
from workflows.task_subgraph import TASK_KINDS, references_node, task_node

KIND = TASK_KINDS["reference"]
TITLE = "References to video in context"
DESCRIPTION = (
    "A video of what 1 to 16 reference pictures show, as Bernini-R makes it, without a source clip. The description says what the finished "
    "video shows, and calls the pictures image0, image1 and so on."
)
OF_TWO_SHAPES = "The yellow square of image0 and the green triangle of image1 drift over a gray background."
HOW = (
    "Describe the finished video, and call the pictures *image0* and *image1*: the first and the second one. The recipe "
    "*bernini-r-1.3b-r2v* fits 8 GB, *bernini-r-r2v* is the pair of 14B. For more pictures, up to 16, connect them to References inside."
)


def reference_subgraph(recipe: Recipe, instruction: str, *, owner: str = BLUEPRINT) -> Subgraph:
    """A clip of the size and length that the recipe was made for, which a task lays out and nothing fills."""
    given = boundary(
        *((name, "IMAGE") for name in KIND.stills),
        *(("instruction", "STRING"), ("fps", "FLOAT"), ("recipe", "COMBO"), ("seed", "INT")),
    )
    models = load_models(recipe, given["recipe"], names_files=owner != BLUEPRINT)
    settings = recipe_node(recipe, given["recipe"], fps=given["fps"])
    stills = references_node(KIND, given)
    task = task_node(KIND, recipe, given, settings, [stills])
    edit = edit_in_context(recipe, given, models, task["clip"], instruction, task["references"])
    words = texts(
        *(edit["prompt"], "", "What the finished video shows"),
        *(models["text encoder"], settings["negative prompt"]),
    )
    positive, negative = (text["CONDITIONING"] for text in words)
    shown = Sampled(
        *(edit["MODEL"], edit["LATENT"], positive, negative, settings["SAMPLER"], models["low-noise model"])
    )
    run = sampling(shown, settings, given["seed"])
    result = finish(run[-1]["output"], models["VAE"], task["clip"])
    called = result_name(None, given["instruction"], instruction)
    return Subgraph(
        TITLE,
        DESCRIPTION,
        given,
        {"instruction": instruction, "fps": 0.0, "recipe": recipe.name, "seed": 1},
        {"VIDEO": result["video"], NAME: called[NAME]},
        [
            Stage("1 Recipe", BLUE, [models, settings]),
            Stage("2 References", GREEN, [stills, task, edit]),
            Stage("3 Text", GOLD, words),
            Stage("4 Sampling", VIOLET, run),
            Stage("5 Result", RED, [called, result]),
        ],
        owner=owner,
        search=("bernini", "r2v", "subject", "reference to video", "identity"),
    )


def prepare_references(recipe: Recipe, owner: str, *, instruction: str) -> Prepared:
    """A template: two pictures, and the subgraph that makes a video of them."""
    stills = load_image("First subject", SUBJECT), load_image("Second subject", OTHER_SUBJECT)
    links = dict(zip(KIND.stills, (one["IMAGE"] for one in stills), strict=True))
    node = reference_subgraph(recipe, instruction, owner=owner).node(links)
    return Prepared(stills, node, asked=[(one, "image") for one in stills])
