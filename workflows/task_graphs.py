"""What stands in front of the edit in the VDOT workflows: the material, a control map where one is used, the task.

Every control map comes from ComfyUI's own nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reelpatch.recipes import Recipe
from workflows.graph import Node, Output

CLIP, MASK_CLIP, MASK = "reelpatch_demo_clip.mp4", "reelpatch_demo_mask.mp4", "reelpatch_demo_mask.png"
FIRST, LAST = "reelpatch_demo_first.png", "reelpatch_demo_last.png"
SUBJECT, OTHER_SUBJECT = "reelpatch_demo_subject.png", "reelpatch_demo_subject_2.png"
DEPTH_MODEL = "depth_anything_3_mono_large.safetensors"
DEPTH_MODEL_URL = (
    f"https://huggingface.co/Comfy-Org/Depth-Anything-3/resolve/main/geometry_estimation/{DEPTH_MODEL}"
)


@dataclass(frozen=True)
class Prepared:
    """The nodes of the columns before the edit, by title, and what of them the edit takes."""

    columns: Mapping[str, Sequence[Node]]
    clip: Output
    mask: Output | None = None
    references: Output | None = None


class TaskGraph(NamedTuple):
    """A workflow of one task: what to put in, in words, and how it is wired."""

    name: str
    title: str
    prompt: str
    how: str
    prepare: Callable[[Recipe], Prepared]


@dataclass(frozen=True)
class _Material:
    """The inputs of the task node by the names of their sockets, and the nodes they come from."""

    nodes: Sequence[Node]
    links: Mapping[str, Output]
    widgets: Mapping[str, Any] = field(default_factory=dict)
    references: Output | None = None


# The sockets that the node shows for a task.
_SOCKETS = {
    "control": {"clip": "VIDEO,IMAGE", "mask": "MASK"},
    "inpaint": {"clip": "VIDEO,IMAGE", "mask": "MASK"},
    "outpaint": {"clip": "VIDEO,IMAGE"},
    "extend": {"first": "VIDEO,IMAGE", "last": "VIDEO,IMAGE"},
    "reference": {},
    "swap": {"clip": "VIDEO,IMAGE", "mask": "MASK"},
}


def load_video(title: str, file: str) -> Node:
    """Load Video, with room for its preview."""
    node = Node("LoadVideo", title, [("VIDEO", "VIDEO")], widgets={"file": file})
    node.hidden, node.height = {"upload": "image"}, 420
    return node


def load_image(title: str, file: str) -> Node:
    """Load Image, with room for its preview."""
    node = Node("LoadImage", title, [("IMAGE", "IMAGE"), ("MASK", "MASK")], widgets={"image": file})
    node.hidden, node.height = {"upload": "image"}, 400
    return node


def _load_mask(title: str, file: str) -> Node:
    node = Node("LoadImageMask", title, [("MASK", "MASK")], widgets={"image": file, "channel": "red"})
    node.hidden, node.height = {"upload": "image"}, 400
    return node


def _components(video: Node, title: str) -> Node:
    outputs = [("images", "IMAGE"), ("audio", "AUDIO"), ("fps", "FLOAT"), ("bit_depth", "INT")]
    return Node(
        "GetVideoComponents",
        title,
        [*outputs, ("color_space", "COMBO")],
        sockets={"video": "VIDEO"},
        links={"video": video["VIDEO"]},
    )


def _mask_of_clip(file: str) -> tuple[list[Node], Output]:
    """A mask that moves: a clip that is white where something is made up."""
    video = load_video("Mask: white is made up", file)
    images = _components(video, "Frames of the mask")
    mask = Node(
        "ImageToMask",
        "Mask",
        [("MASK", "MASK")],
        sockets={"image": "IMAGE"},
        links={"image": images["images"]},
        widgets={"channel": "red"},
    )
    return [video, images, mask], mask["MASK"]


def _references(*titles_and_files: tuple[str, str]) -> tuple[list[Node], Output]:
    images = [load_image(title, file) for title, file in titles_and_files]
    slots = [f"images.image_{number}" for number in range(len(images) + 1)]
    node = Node(
        "ReelpatchReferences",
        "References",
        [("references", "REELPATCH_REFERENCES")],
        sockets=dict.fromkeys(slots, "IMAGE"),
        links={slot: image["IMAGE"] for slot, image in zip(slots, images, strict=False)},
        room=30,
    )
    return [*images, node], node["references"]


def _canny(images: Output) -> Node:
    return Node(
        "Canny",
        "Edges",
        [("IMAGE", "IMAGE")],
        sockets={"image": "IMAGE"},
        links={"image": images},
        widgets={"low_threshold": 0.1, "high_threshold": 0.3},
    )


def _depth(images: Output) -> list[Node]:
    """Depth Anything 3, to be connected in place of the edges; nothing runs before it is."""
    load = Node(
        "LoadDA3Model",
        "Depth model (for a depth map instead)",
        [("DA3_MODEL", "DA3_MODEL")],
        widgets={"model_name": DEPTH_MODEL, "weight_dtype": "default"},
        models=[{"name": DEPTH_MODEL, "url": DEPTH_MODEL_URL, "directory": "geometry_estimation"}],
    )
    run = Node(
        "DA3Inference",
        "Depth",
        [("da3_geometry", "DA3_GEOMETRY")],
        sockets={"da3_model": "DA3_MODEL", "image": "IMAGE"},
        links={"da3_model": load["DA3_MODEL"], "image": images},
        widgets={"resolution": 504, "resize_method": "upper_bound_resize", "mode": "mono"},
    )
    render = Node(
        "DA3Render",
        "Depth map: connect it to the task's clip",
        [("IMAGE", "IMAGE")],
        sockets={"da3_geometry": "DA3_GEOMETRY"},
        links={"da3_geometry": run["da3_geometry"]},
        widgets={"output": "depth", "output.normalization": "v2_style", "output.apply_sky_clip": False},
    )
    return [load, run, render]


def _task(name: str, material: _Material, recipe: Recipe, *before: Node) -> Prepared:
    """The task node after the material, and pictures of what the model gets."""
    sockets = {f"task.{slot}": kind for slot, kind in _SOCKETS[name].items()}
    outputs = [
        *(("clip", "REELPATCH_CLIP"), ("mask", "MASK"), ("references", "REELPATCH_REFERENCES")),
        *(("frames", "IMAGE"), ("width", "INT"), ("height", "INT"), ("length", "INT"), ("fps", "FLOAT")),
    ]
    links = {f"task.{slot}": output for slot, output in material.links.items()}
    task = Node(
        "ReelpatchTask",
        "VACE task",
        outputs,
        sockets={**sockets, "references": "REELPATCH_REFERENCES"},
        links=links if material.references is None else {**links, "references": material.references},
        widgets={
            "task": name,
            **{f"task.{widget}": value for widget, value in material.widgets.items()},
            **{"width": recipe.width, "height": recipe.height, "frames": recipe.frames},
            **{"sample": "first", "fps": 0.0 if "clip" in material.links else float(recipe.fps)},
        },
        width=360,
        room=100,
    )
    seen = Node(
        "PreviewImage",
        "What the model gets (gray is made up)",
        [("images", "IMAGE")],
        sockets={"images": "IMAGE"},
        links={"images": task["frames"]},
        height=300,
    )
    seen_mask = Node(
        "MaskPreview",
        "Its mask (white is made up)",
        [("mask", "MASK")],
        sockets={"mask": "MASK"},
        links={"mask": task["mask"]},
        height=300,
    )
    columns = {"Material": material.nodes, "Task": [*before, task, seen, seen_mask]}
    return Prepared(columns, task["clip"], task["mask"], task["references"])


def _text_and_references(recipe: Recipe) -> Prepared:
    nodes, references = _references(("First subject", SUBJECT), ("Second subject", OTHER_SUBJECT))
    return _task("reference", _Material(nodes, {}, references=references), recipe)


def _control(recipe: Recipe) -> Prepared:
    video = load_video("Clip to follow", CLIP)
    images = _components(video, "Frames")
    edges = _canny(images["images"])
    depth = _depth(images["images"])
    prepared = _task("control", _Material([video, images, *depth], {"clip": edges["IMAGE"]}), recipe, edges)
    task = prepared.clip.node
    task.links["fps"], task.widget_types["fps"] = images["fps"], "FLOAT"
    return prepared


def _inpaint(recipe: Recipe) -> Prepared:
    video, mask = load_video("Clip", CLIP), _load_mask("Mask: white is made up", MASK)
    links = {"clip": video["VIDEO"], "mask": mask["MASK"]}
    return _task("inpaint", _Material([video, mask], links, {"boxes": ""}), recipe)


def _outpaint(recipe: Recipe) -> Prepared:
    video = load_video("Clip", CLIP)
    sides = {"up": 0.0, "down": 0.0, "left": 0.25, "right": 0.25}
    return _task("outpaint", _Material([video], {"clip": video["VIDEO"]}, sides), recipe)


def _extend(recipe: Recipe) -> Prepared:
    first, last = load_image("First image", FIRST), load_image("Last image", LAST)
    return _task("extend", _Material([first, last], {"first": first["IMAGE"], "last": last["IMAGE"]}), recipe)


def _swap(recipe: Recipe) -> Prepared:
    video = load_video("Clip", CLIP)
    masking, mask = _mask_of_clip(MASK_CLIP)
    referring, references = _references(("What comes in its place", SUBJECT))
    links = {"clip": video["VIDEO"], "mask": mask}
    material = _Material([video, *masking, *referring], links, {"boxes": ""}, references)
    return _task("swap", material, recipe)


def _try_on(recipe: Recipe) -> Prepared:
    """The clip with its own edges where the mask is: the references' look on the clip's motion."""
    video = load_video("Clip", CLIP)
    images = _components(video, "Frames")
    masking, mask = _mask_of_clip(MASK_CLIP)
    referring, references = _references(("Clothes, or the new character", SUBJECT))
    edges = _canny(images["images"])
    joined = Node(
        "ImageCompositeMasked",
        "Edges inside the mask, the clip outside",
        [("IMAGE", "IMAGE")],
        sockets={"destination": "IMAGE", "source": "IMAGE", "mask": "MASK"},
        links={"destination": images["images"], "source": edges["IMAGE"], "mask": mask},
        widgets={"x": 0, "y": 0, "resize_source": False},
    )
    links = {"clip": joined["IMAGE"], "mask": mask}
    material = _Material([video, images, *masking, *referring], links, {}, references)
    prepared = _task("control", material, recipe, edges, joined)
    task = prepared.clip.node
    task.links["fps"], task.widget_types["fps"] = images["fps"], "FLOAT"
    return prepared


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
        "Edges lead the new video. For depth, connect the depth map to the task's clip in place of the edges; a pose map "
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
