"""How long and how large a clip on disk is, without reading all of its pictures."""

from pathlib import Path

from reelpatch.errors import BadInput
from reelpatch.media.stills import images_in, read_still
from reelpatch.media.video_io import opened


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
        if not container.streams.video:
            raise BadInput(f"{path} holds no video stream: give a video file, a GIF or a folder of images.")
        stream = container.streams.video[0]
        num_packets = sum(packet.size > 0 for packet in container.demux(stream))
    with opened(path) as container:
        frame = next(container.decode(video=0), None)
        if frame is None:
            raise BadInput(f"{path} holds no frame that can be decoded: give a file that plays.")
        is_turned = round(frame.rotation / 90) % 2 == 1
        size = (frame.width, frame.height) if is_turned else (frame.height, frame.width)
    return num_packets, size
