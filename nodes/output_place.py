"""Where in the output folder a node's result goes: its filename prefix, checked before any work."""

import os
import re
from pathlib import Path

import folder_paths

from reelpatch.errors import BadInput

# File systems take 255; what is added to it, such as a mark and `.mp4.windows`, has room in the rest.
MOST_NAME_BYTES = 200
_SHOWN = 60


def output_place(prefix: str) -> tuple[Path, str]:
    """The folder, which is made where it is missing, and how the name of the result begins.

    Raises: `BadInput` for a prefix that no file can have, that is too long, or that leads out of the output folder.
    """
    shown = f"filename_prefix {prefix[:_SHOWN]!r}{'...' * (len(prefix) > _SHOWN)}"
    if "\0" in prefix:
        raise BadInput(f"the {shown} holds a null character, which no file name may have: take it out.")
    for part in re.split(r"[\\/]", prefix):
        try:
            num_bytes = len(part.encode())
        except UnicodeEncodeError:
            raise BadInput(
                f"the {shown} holds half a character, which no file name may have: take it out."
            ) from None
        if num_bytes > MOST_NAME_BYTES:
            raise BadInput(
                f"the {shown} has a name of {num_bytes} bytes in it, but {MOST_NAME_BYTES} are the most: use a shorter one."
            )
    output = folder_paths.get_output_directory()
    if not Path(os.path.normpath(Path(output, prefix))).is_relative_to(os.path.normpath(output)):
        raise BadInput(f"the {shown} leads out of ComfyUI's output folder: name a place inside it.")
    try:
        folder, name, *_ = folder_paths.get_save_image_path(prefix, output)
    except OSError as error:
        raise BadInput(
            f"the folder of the {shown} cannot be made ({error.strerror}): use another, or free its place."
        ) from error
    return Path(folder), name
