"""Names of what is kept beside a result for a while: no longer than file systems allow, however long the result's own is."""

import hashlib
import os
import re
from pathlib import Path

MAX_NAME_BYTES = 255  # of ext4, APFS, NTFS and nearly all others
_DIGEST_CHARACTERS = 8
_WORDS_CHARACTERS = 80  # of an instruction, in a name


def beside(path: Path, name: str, ending: str) -> Path:
    """`name` + `ending` in the folder of `path`; of a name that is too long only the beginning stays, with its digest."""
    room = MAX_NAME_BYTES - len(os.fsencode(ending))
    encoded = os.fsencode(name)
    if len(encoded) > room:
        digest = hashlib.sha256(encoded).hexdigest()[:_DIGEST_CHARACTERS]
        kept = encoded[: room - _DIGEST_CHARACTERS - 1].decode("utf-8", "ignore")
        name = f"{kept}-{digest}"
    # FFmpeg takes what stands before a colon in a relative name for a protocol.
    return path.absolute().with_name(name + ending)


def named_after(clip: Path, instruction: str) -> Path:
    """Where the edit of a clip goes if nobody says so: beside it, with the words of the instruction in its name."""
    words = "_".join(re.findall(r"\w+", instruction.lower())) or "edited"
    return beside(clip, f"{clip.stem}_{words[:_WORDS_CHARACTERS]}", ".mp4")


def windows_folder(target: Path) -> Path:
    """Where the finished windows of a result are kept."""
    return beside(target, target.name, ".windows")
