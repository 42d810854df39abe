"""What a template ends in: the saved video, and before and after in one view."""

from __future__ import annotations

from workflows.graph import Node, Output


def save_video(video: Output, name: str, height: int = 330) -> Node:
    """Save Video, with room for its preview, under the name of the workflow."""
    stem = "".join(letter if letter.isalnum() else "_" for letter in name.lower())
    return Node(
        "SaveVideo",
        "Result",
        [("video", "VIDEO")],
        sockets={"video": "VIDEO"},
        links={"video": video},
        widgets={
            **{"filename_prefix": f"video/{stem}", "format": "auto", "format.codec": "auto"},
            "codec": "auto",
        },
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
