"""Mask track: where and when a clip is edited, from the JSON text of a track to a MASK for each frame."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.frames import Size
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.records import MaskTrack
from reelpatch.clips.mask_track.render import TrackRenderer, regions_of_masks
from reelpatch.clips.mask_track.text import read_track
from reelpatch.clips.masks import build_mask
from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.errors import BadInput

from .incoming_clip import FORMS, frames_of
from .node_message import say
from .track_film import told_film
from .track_given import REMEMBERED, GivenMasks

_TRACK = """{
 "mask_track": 1,
 "units": "fractions",
 "times": "seconds",
 "regions": [
  {
   "shape": {"kind": "box", "centre": [0.5, 0.5], "size": [0.5, 0.5]},
   "envelope": {"start": 1, "ramp_in": {"kind": "linear", "length": 0.5}}
  }
 ]
}
"""
_MOST_FPS = 240.0
# js/mask_track.js draws this widget; a page that does not know it shows the text.
_DRAWN = {"widgetType": "REELPATCH_MASK_TRACK"}


class TrackNode(io.ComfyNode):
    """The text is all of its state, so that a workflow, an API prompt and a saved result hold the same."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchMaskTrack",
            display_name="Mask track",
            category="reelpatch",
            description=(
                "Says where and when a clip is edited, drawn on its own frames and on a timeline: boxes, ellipses, polygons and "
                "strokes that move, start, end, fade, wipe and grow. Its text is a file for the command line too."
            ),
            search_aliases=[
                "mask",
                "animate mask",
                "keyframes",
                "timeline",
                "when",
                "wipe",
                "moving box",
                "draw",
                "roto",
            ],
            inputs=[
                io.MultiType.Input(
                    "clip",
                    FORMS,
                    tooltip="The clip whose frames and moments the track speaks of: a VIDEO, IMAGE frames, or video clip of Clip.",
                ),
                io.String.Input(
                    "track",
                    default=_TRACK,
                    multiline=True,
                    extra_dict=_DRAWN,
                    tooltip="Where and when the clip is edited, as it is drawn here. It is kept as JSON, which the help page tells of.",
                ),
                io.Float.Input(
                    "fps",
                    default=0.0,
                    min=0.0,
                    max=_MOST_FPS,
                    step=0.01,
                    tooltip="The rate of IMAGE frames, for a track that counts in seconds; a VIDEO and a video clip have their own.",
                ),
                io.Mask.Input(
                    "masks",
                    optional=True,
                    tooltip="For regions of the kind masks: what a tracker made, of the source's size, one for all frames or one for each.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="mask",
                    tooltip="One for each frame of the clip, for Apply edit, Crop to mask and Finish clip, or Edit long clip.",
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(cls, clip: Any, track: str, fps: float, masks: Tensor | None = None) -> io.NodeOutput:
        drawn = read_track(track)
        source = _source(clip, fps)
        given = _given(drawn, source, masks)
        renderer = TrackRenderer(drawn, source.size, source.moments, given)
        mask = torch.stack([renderer.frame(number) for number in source.frames])
        cover = Cover.of(mask)
        empty = "" if cover.edited else " Nothing would be edited: the track is empty in this clip."
        shown: dict[str, Any] = {} if source.film is None else {"reelpatch_film": [source.film]}
        if given:
            shown["reelpatch_masks"] = [REMEMBERED.keep(next(iter(given.values())))]
        say(cls, f"{len(mask)} frames of {mask.shape[2]}x{mask.shape[1]}. {cover.describe()}{empty}")
        return io.NodeOutput(mask, ui=shown or None)


@dataclass(frozen=True)
class _Source:
    """What a track needs of a clip, and which source frames are asked for; `film` is what the editor may show of them."""

    size: Size
    moments: Moments
    frames: tuple[int, ...]
    film: dict[str, Any] | None = None


def _source(clip: Any, fps: float) -> _Source:
    if isinstance(clip, WorkedClip):
        whole = clip.source if clip.cut_out is None else clip.cut_out.whole
        size = (whole.shape[1], whole.shape[2])
        if clip.taken is not None:
            taken = clip.taken
            return _Source(size, Moments(taken.num_frames, taken.fps), taken.frames)
        return _Source(size, Moments(len(whole), clip.fps), tuple(range(len(whole))))
    given = frames_of(clip)
    num_frames, height, width, _ = given.frames.shape
    own = Fraction(fps).limit_denominator(1001) if fps else None
    rate = given.fps or own
    film = told_film(clip, given, rate)
    return _Source((height, width), Moments(num_frames, rate), tuple(range(num_frames)), film)


def _given(track: MaskTrack, source: _Source, masks: Tensor | None) -> dict[int, GivenMasks]:
    """The connected masks for every region that takes them.

    Raises: `BadInput` for a region that names a file, for masks that are missing, and as `build_mask`.
    """
    regions = regions_of_masks(track)
    for index, shape in regions.items():
        if shape.file:
            raise BadInput(
                f"regions[{index}] of the track names the file {shape.file}, but a node takes masks from a link: leave the file out, and "
                "connect them to masks."
            )
        if masks is None:
            raise BadInput(
                f"regions[{index}] of the track takes masks, and none are connected: connect them to masks."
            )
    if masks is None or not regions:
        return {}
    height, width = source.size
    given = GivenMasks(build_mask(masks, None, frames=source.moments.num_frames, height=height, width=width))
    return dict.fromkeys(regions, given)
