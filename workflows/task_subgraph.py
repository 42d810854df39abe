"""A VACE task as one node: what it works on comes in, the finished video and what the model was given come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reelpatch.recipes import Recipe
from workflows.edit_subgraphs import BLUE, GOLD, GREEN, RED, VIOLET
from workflows.graph import WIDGET_TYPES, Node, Output, Stage
from workflows.recipe_nodes import (
    NAME,
    Sampled,
    apply_edit,
    finish,
    load_models,
    recipe_node,
    result_name,
    sampling,
    texts,
)
from workflows.subgraph import BLUEPRINT, Subgraph, boundary

SOURCE = "VIDEO,IMAGE"
TO_LOOK_AT = "what the model gets"


@dataclass(frozen=True)
class TaskKind:
    """A task of the node VACE task: its sockets with their types, its widgets, and the stills it takes as references.

    `sockets` and `widgets` have the task's own names. With `takes_references` the references come from outside.
    """

    name: str
    title: str
    description: str
    sockets: Mapping[str, str]
    widgets: Mapping[str, Any] = field(default_factory=dict)
    stills: Sequence[str] = ()
    takes_references: bool = False


TASK_KINDS = {
    kind.name: kind
    for kind in (
        TaskKind(
            "inpaint",
            "VACE task - inpaint",
            "Makes up what a mask covers. The mask is one image for the whole video, or has one for each frame; boxes do "
            "without a mask: left,top,width,height in pixels.",
            {"clip": SOURCE, "mask": "MASK"},
            {"boxes": ""},
        ),
        TaskKind(
            "outpaint",
            "VACE task - outpaint",
            "Makes up what lies beyond the picture: for each side how far it grows, in parts of the picture's own size.",
            {"clip": SOURCE},
            {"up": 0.0, "down": 0.0, "left": 0.25, "right": 0.25},
        ),
        TaskKind(
            "extend",
            "VACE task - extend",
            "Goes on from a first image or clip, leads up to a last one, or both.",
            {"first": SOURCE, "last": SOURCE},
        ),
        TaskKind(
            "control",
            "VACE task - follow a control map",
            "Follows edges, depth, a pose map or a gray clip; with a mask only where it is 1.",
            {"clip": SOURCE, "mask": "MASK"},
            takes_references=True,
        ),
        TaskKind(
            "reference",
            "VACE task - references to video",
            "A video of the subjects that the stills show, best cut out on white.",
            {},
            stills=("first subject", "second subject"),
        ),
        TaskKind(
            "swap",
            "VACE task - swap",
            "Puts what the still shows in the place of what the mask covers, in every frame.",
            {"clip": SOURCE, "mask": "MASK"},
            {"boxes": ""},
            stills=("reference",),
        ),
    )
}


def task_subgraph(kind: TaskKind, recipe: Recipe, prompt: str, *, owner: str = BLUEPRINT) -> Subgraph:
    """The task on a clip as long as the recipe was made for at most."""
    sockets = {"video" if name == "clip" else name: type_ for name, type_ in kind.sockets.items()}
    if kind.takes_references:
        sockets["references"] = "REELPATCH_REFERENCES"
    sockets |= dict.fromkeys(kind.stills, "IMAGE")
    widgets = {
        **{"prompt": prompt, **kind.widgets, "fps": 0.0},
        **{"recipe": recipe.name, "strength": 0.0, "seed": 1},
    }
    types = {name: WIDGET_TYPES[type(value)] for name, value in widgets.items()} | {"recipe": "COMBO"}
    given = boundary(*sockets.items(), *types.items())
    models = load_models(recipe, given["recipe"], names_files=owner != BLUEPRINT)
    rate = {} if "clip" in kind.sockets else {"fps": given["fps"]}
    settings = recipe_node(recipe, given["recipe"], given["strength"], **rate)
    words = texts(
        *(given["prompt"], prompt, "What the finished video shows"),
        *(models["text encoder"], settings["negative prompt"]),
    )
    stills = [references_node(kind, given)] if kind.stills else []
    task = task_node(kind, recipe, given, settings, stills)
    laid_out = {"clip": task["clip"], "mask": task["mask"], "references": task["references"]}
    apply = apply_edit(recipe, models, settings, laid_out)
    run = sampling(Sampled.of(apply, words, settings), settings, given["seed"])
    result = finish(run[-1]["output"], models["VAE"], task["clip"])
    first = next((given["video" if name == "clip" else name] for name in kind.sockets), None)
    called = result_name(first, given["prompt"], prompt)
    return Subgraph(
        kind.title,
        kind.description,
        given,
        widgets,
        {"VIDEO": result["video"], TO_LOOK_AT: task["frames"], NAME: called[NAME]},
        [
            Stage("1 Recipe", BLUE, [models, settings]),
            Stage("2 Text", GOLD, words),
            Stage("3 Task", GREEN, [*stills, task]),
            Stage("4 Edit and sampling", VIOLET, [apply, *run]),
            Stage("5 Result", RED, [called, result]),
        ],
        owner=owner,
        search=("vdot", "vace", kind.name, *_SEARCH.get(kind.name, ())),
    )


_SEARCH = {
    "inpaint": ("mask", "remove"),
    "outpaint": ("expand", "uncrop"),
    "extend": ("first last frame", "image to video"),
    "control": ("depth", "canny", "pose", "restyle"),
    "reference": ("subject", "reference to video"),
    "swap": ("replace", "mask"),
}


def _fps(kind: TaskKind, recipe: Recipe) -> float:
    """0 where a clip has its own rate."""
    return 0.0 if "clip" in kind.sockets else float(recipe.fps)


def references_node(kind: TaskKind, given: Node) -> Node:
    """References, of the stills that a task takes."""
    slots = [f"images.image_{number}" for number in range(len(kind.stills) + 1)]
    return Node(
        "ReelpatchReferences",
        "References",
        [("references", "REELPATCH_REFERENCES")],
        sockets=dict.fromkeys(slots, "IMAGE"),
        links={slot: given[name] for slot, name in zip(slots, kind.stills, strict=False)},
        room=30,
    )


def task_node(kind: TaskKind, recipe: Recipe, given: Node, settings: Node, stills: Sequence[Node]) -> Node:
    """VACE task, at the size, length and rate of Recipe."""
    own: dict[str, Output] = {f"task.{name}": given[name] for name in kind.widgets}
    for name in kind.sockets:
        own[f"task.{name}"] = given["video" if name == "clip" else name]
    if stills:
        own["references"] = stills[0]["references"]
    elif kind.takes_references:
        own["references"] = given["references"]
    sized = {name: settings[name] for name in ("width", "height", "frames")}
    widgets = {f"task.{name}": value for name, value in kind.widgets.items()}
    return Node(
        "ReelpatchTask",
        "VACE task",
        [
            *(("clip", "REELPATCH_CLIP"), ("mask", "MASK"), ("references", "REELPATCH_REFERENCES")),
            *(("frames", "IMAGE"), ("width", "INT"), ("height", "INT"), ("length", "INT"), ("fps", "FLOAT")),
        ],
        sockets={
            **{f"task.{name}": type_ for name, type_ in kind.sockets.items()},
            "references": "REELPATCH_REFERENCES",
        },
        links={**own, **sized, "fps": given["fps"] if "clip" in kind.sockets else settings["fps"]},
        widgets={
            **{"task": kind.name, **widgets, "width": recipe.width, "height": recipe.height},
            **{"frames": recipe.frames, "sample": "first", "fps": _fps(kind, recipe)},
        },
        widget_types={
            **{name: WIDGET_TYPES[type(value)] for name, value in widgets.items()},
            **{"width": "INT", "height": "INT", "frames": "INT", "fps": "FLOAT"},
            "task": "COMFY_DYNAMICCOMBO_V3",
        },
        order=["references", *_order(kind), "task", "width", "height", "frames", "sample", "fps"],
        width=360,
        room=100,
    )


def _order(kind: TaskKind) -> list[str]:
    """The inputs that come with the choice: those that it must have first, widgets among them, a mask last."""
    needed = [name for name in kind.sockets if name != "mask"]
    names = [*needed, *kind.widgets, *(name for name in kind.sockets if name == "mask")]
    return [f"task.{name}" for name in names]
