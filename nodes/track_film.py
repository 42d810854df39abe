"""The frames that a mask track was drawn for, as a small film that the node's editor shows where it finds no file itself."""

import uuid
from fractions import Fraction
from pathlib import Path
from typing import Any

import folder_paths
import torch
from comfy_api.latest import InputImpl, Types
from torch import Tensor

from .incoming_clip import IncomingClip

_MOST_PX = 512
_RATE_OF_FRAMES = Fraction(16)  # for looking at, where frames have none


def told_film(clip: Any, given: IncomingClip, fps: Fraction | None) -> dict[str, Any]:
    """{filename, subfolder, type, width, height, fps}: the file itself where it is whole and in ComfyUI's input folder.

    Units: `width` and `height` are those of the frames, not of the film; `fps` "24000/1001", or "" for none.
    """
    _, height, width, _ = given.frames.shape
    told = {"width": width, "height": height, "fps": f"{fps.numerator}/{fps.denominator}" if fps else ""}
    return {**told, **(_own_file(clip) or _small_film(given.frames, fps or _RATE_OF_FRAMES))}


def _own_file(clip: Any) -> dict[str, str] | None:
    if not isinstance(clip, InputImpl.VideoFromFile):
        return None
    source = clip.get_stream_source()
    root = Path(folder_paths.get_input_directory()).absolute()
    if not isinstance(source, str) or not Path(source).absolute().is_relative_to(root):
        return None
    # ComfyUI before 0.33 does not say how a film is trimmed: it is then drawn anew.
    trimmed = getattr(clip, "get_active_trim_window", lambda: (0.0, 1.0))()
    if trimmed != (0.0, 0.0):
        return None
    within = Path(source).absolute().relative_to(root)
    folder = "" if within.parent == Path() else within.parent.as_posix()
    return {"filename": within.name, "subfolder": folder, "type": "input"}


def _small_film(frames: Tensor, fps: Fraction) -> dict[str, str]:
    name = f"reelpatch_track_{uuid.uuid4().hex}.mp4"
    path = Path(folder_paths.get_temp_directory()) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    share = min(1.0, _MOST_PX / max(frames.shape[1:3]))
    size = [max(2, round(side * share / 2) * 2) for side in frames.shape[1:3]]  # H.264 counts in pairs
    # One after the other, as all of a long clip would not fit twice.
    small = [
        torch.nn.functional.interpolate(one[None].movedim(-1, 1), size=size, mode="area") for one in frames
    ]
    images = torch.cat(small).movedim(1, -1)
    film = InputImpl.VideoFromComponents(Types.VideoComponents(images=images, frame_rate=fps))
    film.save_to(str(path), format=Types.VideoContainer.MP4, codec=Types.VideoCodec.H264)
    return {"filename": name, "subfolder": "", "type": "temp"}
