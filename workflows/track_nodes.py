"""The node that says where and when, and the tracks that templates open with, for the demo's clip."""

from __future__ import annotations

from workflows.graph import Node, Output

_FORMS = "VIDEO,IMAGE,REELPATCH_CLIP"
FROM_A_MOMENT_ON = """{
 "mask_track": 1,
 "units": "fractions",
 "times": "seconds",
 "regions": [
  {
   "shape": {"kind": "whole"},
   "envelope": {"start": 0.375, "ramp_in": {"kind": "smooth", "length": 0.375}}
  }
 ]
}
"""
MOVING_BOX = """{
 "mask_track": 1,
 "units": "fractions",
 "times": "seconds",
 "regions": [
  {
   "name": "square",
   "shape": {"kind": "box", "centre": [0.75, 0.41], "size": [0.46, 0.46]},
   "keyframes": [{"at": 0, "position": [0.75, 0.41]}, {"at": 1, "position": [0.7, 0.47]}]
  }
 ],
 "feather": 0.03
}
"""
WIPE = """{
 "mask_track": 1,
 "units": "fractions",
 "times": "seconds",
 "regions": [
  {
   "shape": {"kind": "whole"},
   "envelope": {"start": 0, "ramp_in": {"kind": "wipe", "length": 1, "direction": 0, "edge": 0.1}}
  }
 ]
}
"""
HOW_WITH_TRACK = (
    "**Mask track** says where and when: draw on the picture (B a box, E an ellipse, P a polygon, S a stroke, W all of it), "
    "K sets a keyframe, I and O set start and end, and the timeline's handles set how it comes and goes. Before the start the "
    "result is the source itself."
)


def mask_track(video: Output, track: str) -> Node:
    """Mask track, as large as its editor, for the frames of a video."""
    return Node(
        "ReelpatchMaskTrack",
        "Mask track",
        [("mask", "MASK")],
        sockets={"clip": _FORMS, "masks": "MASK"},
        links={"clip": video},
        widgets={"track": track, "fps": 0.0},
        width=620,
        height=760,
    )
