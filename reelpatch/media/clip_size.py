"""How long and how large a clip on disk is, without reading all of its pictures."""

from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.media.decoding import main_stream
from reelpatch.media.opening import opened
from reelpatch.media.stills import images_in, read_still
from reelpatch.media.upright import upright_of


def clip_size(path: Path) -> tuple[int, tuple[int, int]]:
    """Frames, and (height, width) in pixels as the clip is shown; only its first picture is decoded.

    Raises: `BadInput` for what is missing, cannot be opened or holds no picture.
    """
    if not path.exists():
        raise BadInput(f"there is no clip {path}: check the path.")
    if path.is_dir():
        images = images_in(path)
        if not images:
            raise BadInput(f"the folder {path} holds no frames: give one with images in it.")
        height, width = read_still(images[0]).shape[:2]
        return len(images), (height, width)
    with opened(path) as container:
        num_packets = sum(packet.size > 0 for packet in container.demux(main_stream(container, path)))
    with opened(path) as container:
        frame = next(container.decode(main_stream(container, path)), None)
        if frame is None:
            raise BadInput(f"{path} holds no frame that can be decoded: give a file that plays.")
        size = upright_of(frame).size(frame.height, frame.width)
    return num_packets, size
