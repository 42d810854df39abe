"""The file behind a VIDEO; of one that was trimmed, a file of that part."""

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import InputImpl

from reelpatch.errors import BadInput
from reelpatch.media.checksums import digest_of
from reelpatch.media.frame_reader import look_through
from reelpatch.media.part import stretch_between, write_stretch

_MILLISECONDS = 1000  # what Trim Video takes
_NAME_CHARACTERS = 16


def is_file(video: Any) -> bool:
    """Whether a VIDEO is a file on disk, or a part of one."""
    return isinstance(video, InputImpl.VideoFromFile) and isinstance(video.get_stream_source(), str)


def file_of(video: Any, name: str) -> Path:
    """The file behind a VIDEO. Raises: `BadInput` for one that is in memory, and as `stretch_between`."""
    source = video.get_stream_source() if isinstance(video, InputImpl.VideoFromFile) else None
    if not isinstance(source, str):
        raise BadInput(
            f"the {name} is not a file but is held in memory, whole: save it, and connect Load Video, so that its frames "
            "can be read as they are needed."
        )
    start_s, duration_s = (
        Fraction(round(seconds * _MILLISECONDS), _MILLISECONDS) for seconds in video.get_active_trim_window()
    )
    return _part(Path(source), start_s, duration_s) if start_s or duration_s else Path(source)


def _part(path: Path, start_s: Fraction, duration_s: Fraction) -> Path:
    """That part without loss, in ComfyUI's folder for temporary files; made once for the same file and times."""
    what = f"{digest_of(path)} {start_s} {duration_s}"
    folder = Path(folder_paths.get_temp_directory()) / "reelpatch"
    target = folder / f"{path.stem[:60]}_{hashlib.sha256(what.encode()).hexdigest()[:_NAME_CHARACTERS]}.mkv"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        header = look_through(path, folder_fps=Fraction(1))
        write_stretch(header, stretch_between(header, start_s, duration_s), target)
    return target


def source_name(video: Any) -> str:
    """The name of the file behind a VIDEO; empty where there is none."""
    return Path(video.get_stream_source()).name if is_file(video) else ""
