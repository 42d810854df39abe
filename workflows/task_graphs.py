"""The VDOT workflows: the material of each task, and what of it goes into the task's one node.

Every control map comes from ComfyUI's own nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from reelpatch.recipes import Recipe
from workflows.graph import Node, Output
from workflows.material_nodes import (
    CLIP,
    FIRST,
    LAST,
    MASK,
    MASK_CLIP,
    OTHER_SUBJECT,
    SUBJECT,
    depth_of_video,
    edges_inside_mask,
    edges_of_video,
    load_image,
    load_mask,
    load_video,
    mask_of_video,
)
from workflows.task_subgraph import TASK_KINDS, TO_LOOK_AT, task_subgraph


@dataclass(frozen=True)
class Prepared:
    """What stands before the task's node, the node, and the widgets of an app beside the task's own.

    `before` is what the result is compared with, where that is not the same for all of a kind.
    """

    material: Sequence[Node]
    task: Node
    between: Sequence[Node] = ()
    asked: Sequence[tuple[Node, str]] = field(default_factory=tuple[tuple[Node, str], ...])
    before: Output | None = None


class TaskGraph(NamedTuple):
    """A workflow of one task: what to put in, in words, and how it is wired."""

    name: str
    title: str
    prompt: str
    how: str
    prepare: Callable[[Recipe, str], Prepared]


def _prompt(owner: str) -> str:
    return next(graph.prompt for graph in TASK_GRAPHS if graph.name == owner)


def _text_and_references(recipe: Recipe, owner: str) -> Prepared:
    first, second = load_image("First subject", SUBJECT), load_image("Second subject", OTHER_SUBJECT)
    task = task_subgraph(TASK_KINDS["reference"], recipe, _prompt(owner), owner=owner)
    node = task.node({"first subject": first["IMAGE"], "second subject": second["IMAGE"]})
    return Prepared([first, second], node, asked=[(first, "image"), (second, "image")])


def _control(recipe: Recipe, owner: str) -> Prepared:
    video = load_video("Video to follow", CLIP)
    edges = edges_of_video(owner).node({"video": video["VIDEO"]}, width=250)
    depth = depth_of_video(owner).node({"video": video["VIDEO"]}, width=250)
    depth.title = "Depth instead of edges"
    task = task_subgraph(TASK_KINDS["control"], recipe, _prompt(owner), owner=owner)
    node = task.node({"video": edges["control map"], "fps": edges["fps"]})
    return Prepared([video], node, [edges, depth], [(video, "file")], video["VIDEO"])


def _inpaint(recipe: Recipe, owner: str) -> Prepared:
    video, mask = load_video("Video", CLIP), load_mask("Mask: white is made up", MASK)
    task = task_subgraph(TASK_KINDS["inpaint"], recipe, _prompt(owner), owner=owner)
    node = task.node({"video": video["VIDEO"], "mask": mask["MASK"]})
    return Prepared([video, mask], node, (), [(video, "file"), (mask, "image")], video["VIDEO"])


def _outpaint(recipe: Recipe, owner: str) -> Prepared:
    video = load_video("Video", CLIP)
    task = task_subgraph(TASK_KINDS["outpaint"], recipe, _prompt(owner), owner=owner)
    node = task.node({"video": video["VIDEO"]})
    return Prepared([video], node, (), [(video, "file")], node[TO_LOOK_AT])


def _extend(recipe: Recipe, owner: str) -> Prepared:
    first, last = load_image("First image", FIRST), load_image("Last image", LAST)
    task = task_subgraph(TASK_KINDS["extend"], recipe, _prompt(owner), owner=owner)
    node = task.node({"first": first["IMAGE"], "last": last["IMAGE"]})
    return Prepared([first, last], node, asked=[(first, "image"), (last, "image")])


def _swap(recipe: Recipe, owner: str) -> Prepared:
    video, masking = load_video("Video", CLIP), load_video("Mask: white is made up", MASK_CLIP)
    still = load_image("What comes in its place", SUBJECT)
    mask = mask_of_video(owner).node({"video": masking["VIDEO"]}, width=250)
    task = task_subgraph(TASK_KINDS["swap"], recipe, _prompt(owner), owner=owner)
    node = task.node({"video": video["VIDEO"], "mask": mask["MASK"], "reference": still["IMAGE"]})
    asked = [(video, "file"), (masking, "file"), (still, "image")]
    return Prepared([video, masking], node, [still, mask], asked, video["VIDEO"])


def _try_on(recipe: Recipe, owner: str) -> Prepared:
    """The clip with its own edges where the mask is: the reference's look on the clip's motion."""
    video, masking = load_video("Video", CLIP), load_video("Mask: white is made up", MASK_CLIP)
    still = load_image("Clothes, or the new character", SUBJECT)
    links = {"video": video["VIDEO"], "mask video": masking["VIDEO"], "still": still["IMAGE"]}
    edges = edges_inside_mask(owner).node(links, width=250)
    task = task_subgraph(TASK_KINDS["control"], recipe, _prompt(owner), owner=owner)
    node = task.node(
        {
            **{"video": edges["control map"], "mask": edges["mask"], "references": edges["references"]},
            "fps": edges["fps"],
        }
    )
    asked = [(video, "file"), (masking, "file"), (still, "image")]
    return Prepared([video, masking], node, [still, edges], asked, video["VIDEO"])


TASK_GRAPHS = (
    TaskGraph(
        "VDOT - text and references (4 steps)",
        "VDOT: a video of the subjects shown, in 4 steps",
        "a yellow square and a green triangle drift over a gray background",
        "Load one image for each subject, best cut out on white, and describe the finished video.",
        _text_and_references,
    ),
    TaskGraph(
        "VDOT - follow a control map (4 steps)",
        "VDOT: follow the edges or the depth of a video, in 4 steps",
        "a blue circle under a green square at sunset",
        "Edges lead the new video. For depth, connect the depth map to the task's video in place of the edges; a pose map "
        "from SDPose or a clip in gray goes in the same way.",
        _control,
    ),
    TaskGraph(
        "VDOT - inpaint (4 steps)",
        "VDOT: make up what a mask covers, in 4 steps",
        "a yellow square over an empty gray background",
        "The mask is one image for the whole clip, or has one for each frame; boxes do without a mask.",
        _inpaint,
    ),
    TaskGraph(
        "VDOT - outpaint (4 steps)",
        "VDOT: make up what lies beyond the picture, in 4 steps",
        "a red circle and a yellow square on a wide gray background",
        "Say for each side how far the picture grows, in parts of its own size.",
        _outpaint,
    ),
    TaskGraph(
        "VDOT - extend (4 steps)",
        "VDOT: from a first image to a last one, in 4 steps",
        "a red circle and a yellow square drift over a gray background",
        "Connect only the first image to go on from it, only the last to lead up to it. A video in the place of an image "
        "is a beginning or an ending of several frames.",
        _extend,
    ),
    TaskGraph(
        "VDOT - swap by mask and reference (4 steps)",
        "VDOT: put a reference in the place of something, in 4 steps",
        "two yellow squares drift over a gray background",
        "The mask covers what goes, in every frame: SAM3 or a mask editor makes one. The reference shows what comes.",
        _swap,
    ),
    TaskGraph(
        "VDOT - try-on and character replacement (4 steps)",
        "VDOT: other clothes or another character on the same motion, in 4 steps",
        "a yellow ball under a yellow square on a gray background",
        "Inside the mask the model sees edges alone, which keep the motion, and takes the look from the reference; "
        "outside, the clip stays.",
        _try_on,
    ),
)
