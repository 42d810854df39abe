"""A template as an app: the few things that the page asks for, each with a line of words."""

from __future__ import annotations

from reelpatch.recipes import Recipe
from reelpatch.recipes.files import NON_COMMERCIAL, UNKNOWN_LICENCE
from workflows.graph import Node
from workflows.needs import needs_in_short
from workflows.task_graphs import Prepared

MOST_ASKED = 6
LONGEST_LINE = 33  # characters; the page has no room for more
# Beside its clips, masks and stills, the first that there is room for.
_ASKED = (
    "instruction",
    "prompt",
    "what it shows",
    "source",
    "target",
    "change",
    "onset",
    "recipe",
    "first_frame",
    "last_steps",
    "strength",
    "reasoning_steps",
    "seed",
)
_LINES = {
    "what it shows": "may be empty",
    "prompt": "what the finished video shows",
    "source": "what is there before the change",
    "target": "the same but for the change",
    "change": "what differs",
    "onset": "equal before it, from 0",
    "first_frame": "counted from 0; as published: 1",
    "last_steps": "0 is the recipe's",
    "strength": "0 is the recipe's",
    "reasoning_steps": "-1 is the recipe's",
}
_OF_TYPE = {
    "ReelpatchMaskTrack": "draw where and when it edits",
    "ReelpatchDittoStyle": "the published wording",
    "ReelpatchSeveral": "all combinations are made",
}
_ANY_CHANGE = "what changes, and what stays"
Asked = tuple[str, str, dict[str, str]]


def asked(prepared: Prepared, recipe: Recipe) -> list[Asked]:
    """`extra.linearData.inputs`: number of a node, name of its widget, and what stands with it."""
    own = [(node, widget, _of_material(prepared, recipe, node)) for node, widget in prepared.asked]
    job = prepared.task
    of_job = [
        (job, name, _of_job(job, name, recipe))
        for name in _ASKED
        if name in job.widgets and name not in job.links
    ]
    return [
        (str(node.id), widget, {"description": line}) for node, widget, line in [*own, *of_job][:MOST_ASKED]
    ]


def _of_material(prepared: Prepared, recipe: Recipe, node: Node) -> str:
    if node.type in _OF_TYPE:
        return _OF_TYPE[node.type]
    if node.title != "Video" or "first_frame" in prepared.task.widgets:
        return node.title
    if "prompt" in prepared.task.widgets:  # a VACE task, which takes no more than its recipe was made for
        return f"at most {recipe.frames} frames of {recipe.width}x{recipe.height}"
    return "every frame, own size and rate"


def _of_job(job: Node, name: str, recipe: Recipe) -> str:
    if name == "recipe":
        return needs_in_short(recipe)
    if name == "instruction":
        examples = [f"e.g. {one}" for one in sorted(recipe.examples, key=len)]
        return examples[0] if examples and len(examples[0]) <= LONGEST_LINE else _ANY_CHANGE
    if name == "seed":
        licence = _licence(recipe)
        line = f"weights: {licence}"
        return line if len(line) <= LONGEST_LINE else licence.partition(",")[0]
    if name == "first_frame" and not job.widgets[name]:
        return "counted from 0"
    return _LINES[name]


def _licence(recipe: Recipe) -> str:
    if recipe.licence == NON_COMMERCIAL:
        return "non-commercial use"
    return "licence not stated" if recipe.licence == UNKNOWN_LICENCE else recipe.licence
