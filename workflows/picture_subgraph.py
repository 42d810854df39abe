"""Edit picture by reasoning as one node: a picture is edited as the last frame of a short film."""

from __future__ import annotations

from reelpatch.recipes import Recipe
from workflows.edit_subgraphs import BLUE, GOLD, GREEN, RED, VIOLET
from workflows.graph import Node, Output, Stage
from workflows.material_nodes import FIRST, load_image
from workflows.recipe_nodes import NAME as RESULT_NAME
from workflows.recipe_nodes import Sampled, load_models, recipe_node, result_name, sampling, texts
from workflows.subgraph import BLUEPRINT, Subgraph, boundary
from workflows.task_graphs import Prepared

NAME = "Edit picture by reasoning"
FILM = "film"
DESCRIPTION = (
    "Edits a picture by an instruction, as the last frame of a short film: all of it, given back at its own size. The recipe "
    "brings its models, its sentence and all settings along; reasoning steps of -1 are the recipe's. A mask says where to edit, "
    "and keeps every other pixel. The film shows the way there, where all steps have reasoning."
)
HOW = (
    "Say what changes and what stays, in 80 to 100 words. **recipe** changes all settings and files: *chronoedit-8step* for every "
    "day, *chronoedit* without distillation, *chronoedit-reasoning* for what has to be thought of as a movement, "
    "*chronoedit-upscale* for a larger picture (no instruction), *chronoedit-paint* for black strokes that become what you name. "
    "**reasoning_steps** -1 is the recipe's; a **mask** (paint it in the Mask Editor of the picture, and connect its MASK) keeps all else."
)


def picture_subgraph(recipe: Recipe, instruction: str, *, owner: str = BLUEPRINT) -> Subgraph:
    """All of a recipe for pictures, over core's WanImageToVideo."""
    given = boundary(
        *(("image", "IMAGE"), ("mask", "MASK"), ("instruction", "STRING"), ("recipe", "COMBO")),
        *(("reasoning_steps", "INT"), ("seed", "INT")),
    )
    models = load_models(recipe, given["recipe"], names_files=owner != BLUEPRINT)
    settings = recipe_node(recipe, given["recipe"])
    picture = _picture(recipe, given, instruction)
    words = texts(
        *(picture["prompt"], "", "Instruction"),
        *(models["text encoder"], settings["negative prompt"]),
    )
    look = _look(models["picture encoder"], picture["frame"])
    film = _film(models, picture, words, look)
    reasoning = _reasoning(models, settings, picture)
    shown = Sampled(
        *(reasoning["MODEL"], film["latent"]),
        *(film["positive"], film["negative"], reasoning["SAMPLER"]),
    )
    run = sampling(shown, settings, given["seed"])
    result = _finish(run[-1]["output"], models["VAE"], picture["picture"])
    called = result_name(None, given["instruction"], instruction)
    return Subgraph(
        NAME,
        DESCRIPTION,
        given,
        {"instruction": instruction, "recipe": recipe.name, "reasoning_steps": -1, "seed": 1},
        {"IMAGE": result["image"], FILM: result["film"], RESULT_NAME: called[RESULT_NAME]},
        [
            Stage("1 Recipe", BLUE, [models, settings]),
            Stage("2 Picture and text", GOLD, [picture, *words]),
            Stage("3 Film", GREEN, [look, film, reasoning]),
            Stage("4 Sampling", VIOLET, run),
            Stage("5 Result", RED, [called, result]),
        ],
        owner=owner,
        search=("chronoedit", "edit image", "inpaint", "upscale", "paint"),
    )


def prepare_picture(recipe: Recipe, owner: str, *, instruction: str) -> Prepared:
    """A template: a picture, and the subgraph that edits it."""
    picture = load_image("Picture", FIRST)
    node = picture_subgraph(recipe, instruction, owner=owner).node({"image": picture["IMAGE"]})
    return Prepared([picture], node, asked=[(picture, "image")])


def _picture(recipe: Recipe, given: Node, instruction: str) -> Node:
    return Node(
        "ReelpatchPicture",
        "Picture",
        [
            *(("picture", "REELPATCH_PICTURE"), ("frame", "IMAGE"), ("prompt", "STRING")),
            *(("width", "INT"), ("height", "INT"), ("frames", "INT")),
        ],
        sockets={"image": "IMAGE", "mask": "MASK"},
        links={name: given[name] for name in ("image", "mask", "recipe", "instruction", "reasoning_steps")},
        widgets={
            **{"recipe": recipe.name, "instruction": instruction, "reasoning_steps": -1},
            **{"width": 0, "height": 0, "crop": -1},
            **{"grow": 0, "feather": 0, "blend": "plain", "match": "none"},
        },
        widget_types={"recipe": "COMBO", "instruction": "STRING", "reasoning_steps": "INT"},
        width=400,
        room=120,
    )


def _look(encoder: Output, frame: Output) -> Node:
    return Node(
        "CLIPVisionEncode",
        "Look at the picture",
        [("CLIP_VISION_OUTPUT", "CLIP_VISION_OUTPUT")],
        sockets={"clip_vision": "CLIP_VISION", "image": "IMAGE"},
        links={"clip_vision": encoder, "image": frame},
        widgets={"crop": "center"},
        widget_types={"crop": "COMBO"},
    )


def _film(models: Node, picture: Node, words: list[Node], look: Node) -> Node:
    positive, negative = (text["CONDITIONING"] for text in words)
    return Node(
        "WanImageToVideo",
        "Picture as first frame",
        [("positive", "CONDITIONING"), ("negative", "CONDITIONING"), ("latent", "LATENT")],
        sockets={
            **{"positive": "CONDITIONING", "negative": "CONDITIONING", "vae": "VAE"},
            **{"clip_vision_output": "CLIP_VISION_OUTPUT", "start_image": "IMAGE"},
        },
        links={
            **{"positive": positive, "negative": negative, "vae": models["VAE"]},
            **{"clip_vision_output": look["CLIP_VISION_OUTPUT"], "start_image": picture["frame"]},
            **{"width": picture["width"], "height": picture["height"], "length": picture["frames"]},
        },
        widgets={"width": 832, "height": 480, "length": 5, "batch_size": 1},
        widget_types={"width": "INT", "height": "INT", "length": "INT"},
    )


def _reasoning(models: Node, settings: Node, picture: Node) -> Node:
    return Node(
        "ReelpatchEditPicture",
        "Reasoning in time",
        [("MODEL", "MODEL"), ("SAMPLER", "SAMPLER")],
        sockets={
            **{"model": "MODEL", "sampler": "SAMPLER", "sigmas": "SIGMAS"},
            "picture": "REELPATCH_PICTURE",
        },
        links={
            **{"model": models["MODEL"], "sampler": settings["SAMPLER"], "sigmas": settings["SIGMAS"]},
            "picture": picture["picture"],
        },
        room=80,
    )


def _finish(samples: Output, vae: Output, picture: Output) -> Node:
    return Node(
        "ReelpatchFinishPicture",
        "Finish picture",
        [("image", "IMAGE"), ("film", "IMAGE")],
        sockets={"samples": "LATENT", "vae": "VAE", "picture": "REELPATCH_PICTURE"},
        links={"samples": samples, "vae": vae, "picture": picture},
        room=80,
    )
