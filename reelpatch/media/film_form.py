"""What an edited clip can be written as, told by the ending of its name."""

from dataclasses import dataclass, field
from pathlib import Path

from reelpatch.errors import BadInput

# What players expect in an mp4; other sound (Vorbis, PCM) is encoded as AAC.
_MP4_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus"})
_PCM = {f"pcm_{kind}" for kind in ("u8", "s16le", "s16be", "s24le", "s24be", "s32le", "f32le")}
_MATROSKA_SOUND = _MP4_SOUND | _PCM | {"flac", "vorbis", "dts", "truehd", "mp2"}


@dataclass(frozen=True)
class FilmForm:
    """A container and a codec. `is_rgb`: pixels are kept as they are, bit for bit; else they become YUV."""

    container: str
    codec: str
    is_rgb: bool
    pixel_format: str = ""  # of RGB; that of YUV depends on the size
    options: dict[str, str] = field(default_factory=dict)
    copied_sound: frozenset[str] = _MP4_SOUND


def film_form(path: Path, *, crf: int, lossless: bool) -> FilmForm:
    """H.264 in mp4, as RGB without loss or as YUV of that `crf`; FFV1 in mkv. `path` ends in one of the two."""
    if path.suffix.lower() == ".mkv":
        options = {"level": "3", "slicecrc": "1"}  # the version that archives use, with checksums
        return FilmForm("matroska", "ffv1", True, "bgr0", options, _MATROSKA_SOUND)
    if lossless:
        return FilmForm("mp4", "libx264rgb", True, "rgb24", {"qp": "0", "preset": "veryfast"})
    return FilmForm("mp4", "libx264", False, options={"crf": str(crf)})


def is_folder_of_frames(path: Path) -> bool:
    """Whether a result of that name is a folder of PNG images: it has no ending."""
    return path.suffix == ""


def check_ending(path: Path, setting: str) -> None:
    """Raises: `BadInput` for a name that ends in what is not written."""
    if not is_folder_of_frames(path) and path.suffix.lower() not in {".mp4", ".mkv"}:
        raise BadInput(
            f"the output {path} does not end in .mp4, in .mkv (without loss) or in nothing (a folder of PNG frames): "
            "rename it.",
            setting=setting,
        )
