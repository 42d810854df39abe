"""Make a pair of clips as one node: two captions, and two clips that differ in what the captions differ in."""

from __future__ import annotations

from dataclasses import dataclass

from reelpatch.recipes import Recipe
from workflows.edit_subgraphs import BLUE, GOLD, GREEN, RED, VIOLET
from workflows.graph import Node, Output, Stage
from workflows.recipe_nodes import (
    NAME,
    Sampled,
    load_models,
    recipe_node,
    result_name,
    sampling,
    text_node,
)
from workflows.subgraph import BLUEPRINT, Subgraph, boundary
from workflows.task_graphs import Prepared

PAIR = "Make a pair of clips"
SOURCE, TARGET = "source", "target"
DESCRIPTION = (
    "Makes two clips of two captions, side by side by one text-to-video model, that differ in what the captions differ in (InsEdit's "
    "Mutual Context Attention; nothing was trained for it). The recipe brings its models and all settings along. From the frame onset "
    "on the clips may differ; before it they are equal."
)
HOW = (
    "Write two captions, **source** and **target**, that differ in nothing but what is to change, and say in **change** what that is: "
    "*colour*, *insertion*, *removal*, *background*, *motion*, or *local* for all else. With an **onset** the clips are equal before that "
    "frame. Another **seed** is another pair. Nothing was trained for it, so that some pairs fail: look at both. For a whole data set, with "
    "masks, measures and the lists that trainers read, there is `reelpatch pairs` on the command line (docs/pairs.md)."
)


@dataclass(frozen=True)
class Captions:
    """What a pair is made of: both captions, and the kind of change between them."""

    source: str
    target: str
    change: str


ON_SHAPES = Captions("red circle in front of a night sky", "blue circle in front of a night sky", "colour")
OF_A_DOG = Captions("A brown dog is running on the beach.", "A white dog is running on the beach.", "colour")

PAIRS = (
    (
        "Demo - make a pair of clips on any machine",
        "Demo: make a pair of clips, before and after a change, on any machine",
        "demo-shared-attention",
        ON_SHAPES,
    ),
    (
        "Wan - make a pair of clips (50 steps)",
        "Wan2.1 1.3B: make a pair of clips, before and after a change, in 50 steps",
        "shared-attention-1.3b",
        OF_A_DOG,
    ),
)
"""Templates: their names, titles, recipes and captions."""


def pair_subgraph(recipe: Recipe, captions: Captions, *, owner: str = BLUEPRINT) -> Subgraph:
    """Both clips at the size, length and rate that the base was made for."""
    given = boundary(
        *((SOURCE, "STRING"), (TARGET, "STRING"), ("change", "COMBO"), ("onset", "INT")),
        *(("recipe", "COMBO"), ("seed", "INT")),
    )
    models = load_models(recipe, given["recipe"], names_files=owner != BLUEPRINT)
    settings = recipe_node(recipe, given["recipe"])
    words = pair_texts(captions, given, models, settings)
    pair = paired_generation(recipe, captions.change, given, models, settings, words)
    negative, low_noise = words[-1]["CONDITIONING"], models["low-noise model"]
    shown = Sampled(pair["MODEL"], pair["LATENT"], pair["positive"], negative, settings["SAMPLER"], low_noise)
    run = sampling(shown, settings, given["seed"])
    both = finish_pair(run[-1]["output"], models["VAE"])
    clips = {name: _video(name, both, settings["fps"]) for name in (SOURCE, TARGET)}
    names = {name: result_name(None, given[name], getattr(captions, name)) for name in (SOURCE, TARGET)}
    for name, node in names.items():
        node.title = f"Name of the {name}"
    return Subgraph(
        PAIR,
        DESCRIPTION,
        given,
        {
            **{SOURCE: captions.source, TARGET: captions.target, "change": captions.change, "onset": 0},
            **{"recipe": recipe.name, "seed": 1},
        },
        {
            **{name: node["VIDEO"] for name, node in clips.items()},
            **{name_of(name): node[NAME] for name, node in names.items()},
        },
        [
            Stage("1 Recipe", BLUE, [models, settings]),
            Stage("2 Captions", GOLD, words),
            Stage("3 Pair", GREEN, [pair]),
            Stage("4 Sampling", VIOLET, run),
            Stage("5 Result", RED, [both, *clips.values(), *names.values()]),
        ],
        owner=owner,
        search=("insedit", "mutual context attention", "two captions", "data set", "prompt-to-prompt"),
    )


def name_of(clip: str) -> str:
    """The output with the name that a clip is saved under."""
    return f"{clip} name"


def prepare_pair(recipe: Recipe, owner: str, *, captions: Captions) -> Prepared:
    """A template: two captions alone, and the subgraph that makes the clips."""
    return Prepared([], pair_subgraph(recipe, captions, owner=owner).node())


def pair_texts(captions: Captions, given: Node, models: Node, settings: Node) -> list[Node]:
    """Both captions, which come from outside, and the recipe's negative prompt."""
    encoder = models["text encoder"]
    return [
        text_node("Caption of the source", captions.source, encoder, given[SOURCE]),
        text_node("Caption of the target", captions.target, encoder, given[TARGET]),
        text_node("Negative prompt", "", encoder, settings["negative prompt"]),
    ]


def paired_generation(
    recipe: Recipe,
    change: str,
    given: Node,
    models: Node,
    settings: Node,
    words: list[Node],
    clip: Node | None = None,
) -> Node:
    """Paired generation of two captions; with `clip`, that is the source."""
    chosen = [name for name in ("recipe", "change", "onset") if name in dict(given.outputs)]
    of_clip = {} if clip is None else {"vae": models["VAE"], "clip": clip["clip"]}
    source, target = (one["CONDITIONING"] for one in words[:2])
    return Node(
        "ReelpatchPairedGeneration",
        "Paired generation",
        [("MODEL", "MODEL"), ("positive", "CONDITIONING"), ("LATENT", "LATENT")],
        sockets={
            **{"model": "MODEL", "source": "CONDITIONING", "target": "CONDITIONING"},
            **{"vae": "VAE", "clip": "REELPATCH_CLIP"},
        },
        links={
            **{"model": models["MODEL"], "source": source, "target": target},
            **{name: given[name] for name in chosen},
            **of_clip,
            **{name: settings[name] for name in ("width", "height", "frames")},
        },
        widgets={
            **{"recipe": recipe.name, "change": change, "onset": 0, "noise": "same"},
            **{"width": recipe.width, "height": recipe.height, "frames": recipe.frames},
            **{"early": 0.0, "middle": 0.0},
        },
        widget_types={
            **{"recipe": "COMBO", "change": "COMBO", "onset": "INT"},
            **{"width": "INT", "height": "INT", "frames": "INT"},
            **{"noise": "COMBO", "early": "FLOAT", "middle": "FLOAT"},
        },
        width=400,
        room=120,
    )


def finish_pair(samples: Output, vae: Output) -> Node:
    """Finish pair, of what was sampled."""
    return Node(
        "ReelpatchFinishPair",
        "Finish pair",
        [("source", "IMAGE"), ("target", "IMAGE"), ("target latent", "LATENT")],
        sockets={"samples": "LATENT", "vae": "VAE"},
        links={"samples": samples, "vae": vae},
        room=60,
    )


def _video(name: str, both: Node, fps: Output) -> Node:
    return Node(
        "CreateVideo",
        f"The {name} as a video",
        [("VIDEO", "VIDEO")],
        sockets={"images": "IMAGE", "audio": "AUDIO"},
        links={"images": both[name], "fps": fps},
        widgets={"fps": 16.0, "bit_depth": 8},
        widget_types={"fps": "FLOAT", "bit_depth": "INT"},
    )
