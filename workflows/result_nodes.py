"""What a template ends in: the saved video or picture, and before and after in one view."""

from __future__ import annotations

from workflows.graph import Node, Output


def save_video(video: Output, name: str | Output, height: int = 330, title: str = "Result") -> Node:
    """Save Video, with room for its preview, under a name of its own or one that is made elsewhere."""
    links, prefix = _called(name)
    return Node(
        "SaveVideo",
        title,
        [("video", "VIDEO")],
        sockets={"video": "VIDEO"},
        links={"video": video, **links},
        widgets={
            **{"filename_prefix": f"video/{prefix}", "format": "auto", "format.codec": "auto"},
            "codec": "auto",
        },
        widget_types={
            "filename_prefix": "STRING",
            **dict.fromkeys(("format", "format.codec", "codec"), "COMFY_DYNAMICCOMBO_V3"),
        },
        height=height,
        width=270,
    )


def save_image(image: Output, name: str | Output, height: int = 330) -> Node:
    """Save Image, with room for its preview, under a name of its own or one that is made elsewhere."""
    links, prefix = _called(name)
    return Node(
        "SaveImage",
        "Result",
        [("images", "IMAGE")],
        sockets={"images": "IMAGE"},
        links={"images": image, **links},
        widgets={"filename_prefix": prefix},
        widget_types={"filename_prefix": "STRING"},
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


def _called(name: str | Output) -> tuple[dict[str, Output], str]:
    return ({}, _stem(name)) if isinstance(name, str) else ({"filename_prefix": name}, "reelpatch")


def _stem(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower())
