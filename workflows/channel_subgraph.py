"""Edit video by channels as one node: HunyuanVideo-1.5 sees the whole source in further channels beside the clip that it makes."""

from __future__ import annotations

from reelpatch.recipes import Recipe
from workflows.edit_subgraphs import BLUE, GOLD, GREEN, ending, length, part_from, part_of_video
from workflows.graph import Node, Stage
from workflows.material_nodes import CLIP, load_video
from workflows.recipe_nodes import (
    Sampled,
    load_models,
    recipe_node,
    texts,
)
from workflows.subgraph import BLUEPRINT, Subgraph, boundary
from workflows.task_graphs import Prepared

DESCRIPTION = (
    "Edits a part of a video by an instruction on HunyuanVideo-1.5, as Capybara does: the whole source stands beside the clip that is "
    "made; from a first frame on, so many frames, at so many frames per second. A mask keeps every other pixel."
)
HOW = (
    "Say what is to change, as a command; longer instructions do better (*Rewrite instruction* makes them), and text in double quotes is "
    "read letter by letter. It is worked on at as many pixels as 848x480 has, in the video's own shape; *Clip* inside takes any of the "
    "published sizes in its place. A mask keeps every other pixel."
)


def channel_subgraph(recipe: Recipe, instruction: str, *, owner: str = BLUEPRINT) -> Subgraph:
    """A part of the clip at the length and rate that the method was made for, sampled at once."""
    given = boundary(
        *(("video", "VIDEO"), ("mask", "MASK"), ("instruction", "STRING"), ("recipe", "COMBO")),
        *(("first_frame", "INT"), ("frames", "INT"), ("fps", "FLOAT"), ("seed", "INT")),
    )
    models = load_models(recipe, given["recipe"], names_files=owner != BLUEPRINT)
    settings = recipe_node(recipe, given["recipe"], **length(given))
    clip = part_of_video(recipe, given, settings, 0, models["VAE"], fit="area")
    words = texts(
        *(given["instruction"], instruction, "Instruction"),
        *(models["text encoder"], settings["negative prompt"]),
    )
    edit = _edit(recipe, given, models, clip, words)
    shown = Sampled(models["MODEL"], edit["LATENT"], edit["positive"], edit["negative"], settings["SAMPLER"])
    last = ending(shown, settings, models, clip, given, instruction)
    return Subgraph(
        "Edit video by channels",
        DESCRIPTION,
        given,
        {"instruction": instruction, "recipe": recipe.name, **part_from(0), "seed": 1},
        last.outputs,
        [
            Stage("1 Recipe", BLUE, [models, settings]),
            Stage("2 Text", GOLD, words),
            Stage("3 Clip and edit", GREEN, [clip, edit]),
            *last.stages,
        ],
        owner=owner,
        search=("capybara", "hunyuan", "instruction"),
    )


def prepare_by_channels(recipe: Recipe, owner: str, *, instruction: str) -> Prepared:
    """A template: a video, and the subgraph that edits it."""
    video = load_video("Video", CLIP)
    node = channel_subgraph(recipe, instruction, owner=owner).node({"video": video["VIDEO"]})
    return Prepared([video], node, asked=[(video, "file")])


def _edit(recipe: Recipe, given: Node, models: Node, clip: Node, words: list[Node]) -> Node:
    positive, negative = (text["CONDITIONING"] for text in words)
    return Node(
        "ReelpatchEditByChannels",
        "Edit by channels",
        [("positive", "CONDITIONING"), ("negative", "CONDITIONING"), ("LATENT", "LATENT")],
        sockets={
            **{"positive": "CONDITIONING", "vae": "VAE", "clip": "REELPATCH_CLIP"},
            **{"negative": "CONDITIONING", "clip_vision": "CLIP_VISION"},
        },
        links={
            **{"positive": positive, "negative": negative, "vae": models["VAE"], "clip": clip["clip"]},
            **{"clip_vision": models["picture encoder"], "recipe": given["recipe"]},
        },
        widgets={"recipe": recipe.name},
        widget_types={"recipe": "COMBO"},
        width=400,
        room=60,
    )
