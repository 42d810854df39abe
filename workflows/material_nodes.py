"""The nodes that bring clips, masks and stills in, and what turns them into what a task takes, as one node each."""

from __future__ import annotations

from collections.abc import Sequence

from workflows.graph import Node, Output, Stage
from workflows.subgraph import Subgraph, boundary

CLIP, MASK_CLIP, MASK = "reelpatch_demo_clip.mp4", "reelpatch_demo_mask.mp4", "reelpatch_demo_mask.png"
LONG_CLIP = "reelpatch_demo_long_clip.mp4"
FIRST, LAST = "reelpatch_demo_first.png", "reelpatch_demo_last.png"
FIRST_EDITED = "reelpatch_demo_first_edited.png"
SUBJECT, OTHER_SUBJECT = "reelpatch_demo_subject.png", "reelpatch_demo_subject_2.png"
PLACE = "reelpatch_demo_place.png"
DEPTH_MODEL = "depth_anything_3_mono_large.safetensors"
DEPTH_MODEL_URL = (
    f"https://huggingface.co/Comfy-Org/Depth-Anything-3/resolve/main/geometry_estimation/{DEPTH_MODEL}"
)
_GREEN = "#3f7a4f"
_FIRST_ID = 201  # beside the subgraph of the task


def load_video(title: str, file: str) -> Node:
    """Load Video, with room for its preview."""
    node = Node("LoadVideo", title, [("VIDEO", "VIDEO")], widgets={"file": file}, width=250)
    node.hidden, node.height = {"upload": "image"}, 310
    return node


def load_image(title: str, file: str) -> Node:
    """Load Image, with room for its preview."""
    node = Node(
        "LoadImage", title, [("IMAGE", "IMAGE"), ("MASK", "MASK")], widgets={"image": file}, width=300
    )
    node.hidden, node.height = {"upload": "image"}, 310
    return node


def load_mask(title: str, file: str) -> Node:
    """Load Image (as Mask), with room for its preview."""
    widgets = {"image": file, "channel": "red"}
    node = Node("LoadImageMask", title, [("MASK", "MASK")], widgets=widgets, width=250)
    node.hidden, node.height = {"upload": "image"}, 310
    return node


def mask_of_video(owner: str) -> Subgraph:
    """A mask that moves: a video that is white where something is made up."""
    given = boundary(("video", "VIDEO"))
    images, mask = _mask(given["video"])
    return _subgraph(
        *("Mask of a video", "The frames of a black and white video as a mask.", owner, given),
        *({"MASK": mask["MASK"]}, [images, mask]),
    )


def edges_of_video(owner: str) -> Subgraph:
    """The edges of every frame, and the video's rate."""
    given = boundary(("video", "VIDEO"))
    images = _components(given["video"], "Frames")
    edges = _canny(images["images"])
    return _subgraph(
        *("Edges of a video", "A control map: the edges of every frame, by Canny.", owner, given),
        *({"control map": edges["IMAGE"], "fps": images["fps"]}, [images, edges]),
    )


def depth_of_video(owner: str) -> Subgraph:
    """The depth of every frame by Depth Anything 3, and the video's rate."""
    given = boundary(("video", "VIDEO"))
    images = _components(given["video"], "Frames")
    load = Node(
        "LoadDA3Model",
        "Depth model",
        [("DA3_MODEL", "DA3_MODEL")],
        widgets={"model_name": DEPTH_MODEL, "weight_dtype": "default"},
        models=[{"name": DEPTH_MODEL, "url": DEPTH_MODEL_URL, "directory": "geometry_estimation"}],
    )
    run = Node(
        "DA3Inference",
        "Depth",
        [("da3_geometry", "DA3_GEOMETRY")],
        sockets={"da3_model": "DA3_MODEL", "image": "IMAGE"},
        links={"da3_model": load["DA3_MODEL"], "image": images["images"]},
        widgets={"resolution": 504, "resize_method": "upper_bound_resize", "mode": "mono"},
    )
    render = Node(
        "DA3Render",
        "Depth map",
        [("IMAGE", "IMAGE")],
        sockets={"da3_geometry": "DA3_GEOMETRY"},
        links={"da3_geometry": run["da3_geometry"]},
        widgets={"output": "depth", "output.normalization": "v2_style", "output.apply_sky_clip": False},
    )
    return _subgraph(
        *("Depth of a video", "A control map: the depth of every frame, by Depth Anything 3.", owner, given),
        *({"control map": render["IMAGE"], "fps": images["fps"]}, [images, load, run, render]),
        first_id=_FIRST_ID + 100,
    )


def edges_inside_mask(owner: str) -> Subgraph:
    """A clip with its own edges where the mask is, for a reference's look on the clip's motion."""
    given = boundary(("video", "VIDEO"), ("mask video", "VIDEO"), ("still", "IMAGE"))
    images = _components(given["video"], "Frames")
    masked, mask = _mask(given["mask video"])
    edges = _canny(images["images"])
    joined = Node(
        "ImageCompositeMasked",
        "Edges inside the mask, the clip outside",
        [("IMAGE", "IMAGE")],
        sockets={"destination": "IMAGE", "source": "IMAGE", "mask": "MASK"},
        links={"destination": images["images"], "source": edges["IMAGE"], "mask": mask["MASK"]},
        widgets={"x": 0, "y": 0, "resize_source": False},
    )
    references = Node(
        "ReelpatchReferences",
        "References",
        [("references", "REELPATCH_REFERENCES")],
        sockets={"images.image_0": "IMAGE", "images.image_1": "IMAGE"},
        links={"images.image_0": given["still"]},
        room=30,
    )
    outputs = {
        **{"control map": joined["IMAGE"], "mask": mask["MASK"], "references": references["references"]},
        "fps": images["fps"],
    }
    return _subgraph(
        *(
            "Edges inside a mask",
            "The video with its own edges where the mask is white.",
            owner,
            given,
            outputs,
        ),
        [images, masked, mask, edges, joined, references],
    )


def _subgraph(
    name: str,
    description: str,
    owner: str,
    given: Node,
    outputs: dict[str, Output],
    nodes: Sequence[Node],
    first_id: int = _FIRST_ID,
) -> Subgraph:
    stages = [Stage(name, _GREEN, nodes)]
    return Subgraph(name, description, given, {}, outputs, stages, owner=owner, first_id=first_id)


def _mask(video: Output) -> tuple[Node, Node]:
    images = _components(video, "Frames of the mask")
    mask = Node(
        "ImageToMask",
        "Mask",
        [("MASK", "MASK")],
        sockets={"image": "IMAGE"},
        links={"image": images["images"]},
        widgets={"channel": "red"},
    )
    return images, mask


def _components(video: Output, title: str) -> Node:
    outputs = [("images", "IMAGE"), ("audio", "AUDIO"), ("fps", "FLOAT"), ("bit_depth", "INT")]
    return Node(
        "GetVideoComponents",
        title,
        [*outputs, ("color_space", "COMBO")],
        sockets={"video": "VIDEO"},
        links={"video": video},
    )


def _canny(images: Output) -> Node:
    return Node(
        "Canny",
        "Edges",
        [("IMAGE", "IMAGE")],
        sockets={"image": "IMAGE"},
        links={"image": images},
        widgets={"low_threshold": 0.1, "high_threshold": 0.3},
    )
