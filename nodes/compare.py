"""Compare: before and after in sync, under a wipe that is dragged or side by side, on the node itself."""

import inspect
import uuid
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import folder_paths
from comfy_api.latest import InputImpl, Types, io

from reelpatch.clips.shown_beside import shown_beside
from reelpatch.clips.stacked_pair import Stack, stack
from reelpatch.media.stacked_files import stacked_files

from .incoming_clip import FORMS, frames_of
from .node_message import say
from .video_file import file_of, is_file

_CRF = 10  # finer than for keeping: what is compared is the clips, not the codec


class Compare(io.ComfyNode):
    """Both clips are one film, which `js/compare/compare.js` cuts apart: no player can show different frames of them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchCompare",
            display_name="Compare",
            category="reelpatch/look",
            description=(
                "Plays a clip before and after an edit, always the same frame of both: under a line that you drag, side "
                "by side, or as their difference. Space plays, the arrow keys move the line, comma and full stop go "
                "from frame to frame."
            ),
            search_aliases=["before after", "compare video", "wipe", "side by side", "preview", "difference"],
            inputs=[
                io.MultiType.Input(
                    "before", FORMS, tooltip="The clip as it was: video clip of Clip, a VIDEO or frames."
                ),
                io.MultiType.Input(
                    "after",
                    FORMS,
                    tooltip=(
                        "The clip as it became; its sound is heard. Before is shown at its length and size, and the node says "
                        "what was done to it."
                    ),
                ),
                io.Float.Input(
                    "fps",
                    default=0.0,
                    min=0.0,
                    max=240.0,
                    step=0.01,
                    optional=True,
                    tooltip="Frames per second; 0 is the rate of the clips, 16 where neither has one.",
                ),
            ],
            outputs=[],
            hidden=[io.Hidden.unique_id],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, before: Any, after: Any, fps: float = 0.0) -> io.NodeOutput:
        name = f"reelpatch_compare_{uuid.uuid4().hex}.mp4"
        target = Path(folder_paths.get_temp_directory()) / name
        asked = Fraction(fps).limit_denominator(1001) if fps else None
        if is_file(before) and is_file(after):  # read frame by frame, however long they are
            target.parent.mkdir(parents=True, exist_ok=True)
            made = stacked_files(
                file_of(before, "before"), file_of(after, "after"), target, crf=_CRF, fps=asked
            )
            look = _Look(made.look, made.num_frames, made.source, made.fps, made.told)
        else:
            look = _of_frames(before, after, target, asked)
        (height, width), (source_height, source_width) = look.stack.size, look.source
        if look.told:
            say(cls, look.told)
        film = {
            **{"filename": name, "subfolder": "", "type": "temp"},
            **{"width": width, "height": height, "source": (source_width, source_height)},
            **{"after": look.stack.after_at, "frames": look.num_frames, "fps": float(look.fps)},
        }
        return io.NodeOutput(ui={"reelpatch_compare": [film]})


class _Look(NamedTuple):
    """How both lie in the film; `source` is the (height, width) of the second clip, `told` what of the first is not as it was."""

    stack: Stack
    num_frames: int
    source: tuple[int, int]
    fps: Fraction
    told: str


def _of_frames(before: Any, after: Any, target: Path, asked: Fraction | None) -> _Look:
    first, second = frames_of(before), frames_of(after)
    beside = shown_beside(first.measures, second.measures)
    fps = asked or second.fps or first.fps or Fraction(16)
    both = stack(beside.frames(first.frames), second.frames)
    _save(both.frames, fps, second.sound or first.sound, target)
    return _Look(both, len(both.frames), second.measures.size, fps, beside.told)


def _save(frames: Any, rate: Fraction, sound: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    film = InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, audio=sound, frame_rate=rate))
    # ComfyUI before 0.33 has no say in it.
    finer = {"crf": float(_CRF)} if "crf" in inspect.signature(film.save_to).parameters else {}
    film.save_to(str(path), format=Types.VideoContainer.MP4, codec=Types.VideoCodec.H264, **finer)
