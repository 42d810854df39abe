"""The one door through which clips, masks and sound come in: films of known kinds, each read from its own file alone."""

import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from reelpatch.errors import BadInput

# FFmpeg's names. Left out is all that names other files (hls, concat, dash, sdp, image2, imf), draws text (tty), or captures.
_FORMATS = (
    *("3gp", "aac", "ac3", "aiff", "amv", "apng", "asf", "av1", "avi", "bmp_pipe", "caf", "dv", "eac3", "flac", "flv"),
    *("gif", "gxf", "h263", "h264", "hevc", "ivf", "jpeg_pipe", "m4v", "matroska", "mjpeg", "mov", "mp3", "mpeg"),
    *("mpegts", "mpegvideo", "mxf", "nut", "obu", "ogg", "png_pipe", "rm", "tiff_pipe", "vc1", "vvc", "wav", "webm"),
    *("webp_pipe", "wtv", "yuv4mpegpipe"),
)  # fmt: skip
_ALONE = {
    "format_whitelist": ",".join(
        _FORMATS
    ),  # asked once the kind is known, before the file is believed in anything
    "protocol_whitelist": "file",
    "enable_drefs": "0",  # of QuickTime: tracks that lie in other files
    "use_absolute_path": "0",
}
# Titles in old AVIs are in Latin-1. From 19 on PyAV reads them whatever they are in, and has no word for it.
_TITLES: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_POINTERS = {
    b"#EXTM3U": "a playlist (m3u8)",
    b"ffconcat": "a list of files (ffconcat)",
    b"v=0": "a description of a stream (sdp)",
    b"<": "a list in XML",
    b"[playlist]": "a playlist (pls)",
}
_HEAD_BYTES = 512
_TEXT = bytes({9, 10, 13, *range(32, 127)})


@contextmanager
def opened(path: Path) -> Generator[InputContainer]:
    """A media file, open to be read; whatever FFmpeg finds wrong with it becomes a `BadInput`.

    No other file is opened for it, whatever it says.
    Raises: `BadInput` for what is no regular file, for kinds that are not read, and for damage.
    """
    check_is_file(path)
    is_open = False
    try:
        # `file:` keeps names such as `pipe:0.mp4` and `12:30.mp4` from being taken for protocols.
        with av.open(f"file:{path.absolute()}", options=_ALONE, **_TITLES) as container:
            is_open = True
            yield container
    except av.FFmpegError as error:
        refusal = None if is_open else _other_kind(path, is_refused=isinstance(error, av.ArgumentError))
        raise BadInput(
            refusal
            or f"{path} cannot be read as video ({error.strerror}): it may be damaged, cut short or of another kind; "
            "give a file that plays."
        ) from error


def check_is_file(path: Path) -> None:
    """Raises: `BadInput` for what is no regular file, such as a named pipe, which is not waited for."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): check the path.") from error
    if not stat.S_ISREG(mode):
        kind = "a named pipe" if stat.S_ISFIFO(mode) else "a folder" if stat.S_ISDIR(mode) else "a device"
        raise BadInput(f"{path} is {kind}, not a file: write what it holds to a file, and give that.")


def _other_kind(path: Path, *, is_refused: bool) -> str | None:
    """What is said of a file that is of a kind that is not read; `is_refused` where FFmpeg knows it, but may not read it."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n")
    for beginning, what in _POINTERS.items():
        if head.startswith(beginning):
            return f"{path} is {what}, which may name other files and is not followed: give the video file itself."
    is_text = bool(head) and not head.translate(None, _TEXT)
    if not is_text and not is_refused:
        return None
    kind = "text" if is_text else "of a kind that may name other files or that nobody films in"
    return f"{path} cannot be read as video: it is {kind}; convert it to mp4, mov, mkv or webm."
