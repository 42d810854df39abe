"""What a template ends in: the saved video or picture, and before and after in one view."""

from __future__ import annotations

from workflows.graph import Node, Output


def save_video(video: Output, name: str, height: int = 330) -> Node:
    """Save Video, with room for its preview, under the name of the workflow."""
    return Node(
        "SaveVideo",
        "Result",
        [("video", "VIDEO")],
        sockets={"video": "VIDEO"},
        links={"video": video},
        widgets={
            **{"filename_prefix": f"video/{_stem(name)}", "format": "auto", "format.codec": "auto"},
            "codec": "auto",
        },
        height=height,
        width=270,
    )


def save_image(image: Output, name: str, height: int = 330) -> Node:
    """Save Image, with room for its preview, under the name of the workflow."""
    return Node(
        "SaveImage",
        "Result",
        [("images", "IMAGE")],
        sockets={"images": "IMAGE"},
        links={"images": image},
        widgets={"filename_prefix": _stem(name)},
        height=height,
        width=270,
    )


def compare(before: Output, after: Output) -> Node:
    """Both clips under a wipe."""
    forms = "VIDEO,IMAGE,REELPATCH_CLIP"
    return Node(
        "ReelpatchCompare",
        "Compare",
        [],
        sockets={"before": forms, "after": forms},
        links={"before": before, "after": after},
        widgets={"fps": 0.0},
        width=330,
        height=400,
    )


def _stem(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())
