"""The frames of a film as its decoder gives them, with what of them is hurt."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelpatch.errors import BadInput
from reelpatch.media.completeness import check_complete
from reelpatch.media.damage import Damage
from reelpatch.media.ffv1_checks import SliceChecks

# Checksums and impossible bits are looked at; of most codecs, decoders hide errors as well as they can, and mark the frame.
_CHECKS = "crccheck+bitstream+buffer"
_MOST_HELD = (
    64  # frames that a decoder holds at the end; one that fails more often there (FFV1) would do so for ever
)
_KEEPS_ALPHA = {"vp9": "libvpx-vp9", "vp8": "libvpx"}  # FFmpeg's own decoders of both drop it


def main_stream(container: InputContainer, path: Path) -> VideoStream:
    """The video stream that players show: the default one, else the first; pictures attached to sound are none.

    Raises: `BadInput` where there is none, or none of a kind that can be decoded.
    """
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        raise BadInput(f"{path} holds no video stream: give a video file, a GIF or a folder of images.")
    shown = next((one for one in streams if one.disposition & Disposition.default), streams[0])
    if getattr(shown, "codec_context", None) is None:  # whatever its types say, where there is no decoder
        raise BadInput(
            f"the video stream of {path} is of a kind that has no decoder here: convert it to H.264."
        )
    return shown


def said_of_streams(container: InputContainer, stream: VideoStream) -> str | None:
    """What is to be said of which of several video streams was taken."""
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if len(streams) == 1:
        return None
    number = streams.index(stream) + 1
    return f"holds {len(streams)} video streams; number {number}, which players show, is edited and given back alone"


def decoded_frames(
    container: InputContainer, stream: VideoStream, path: Path, damage: Damage | None = None
) -> Generator[VideoFrame]:
    """The frames of a clip one after the other, at least one, of one size.

    Raises: `BadInput` at a frame of another size, at one that is hurt unless `damage` counts them, and at the end of a
    file that was cut short.
    """
    tally = damage or Damage(path)
    frames = _checked(container, stream, path, tally)
    size = None
    for frame in frames:
        size = size or (frame.width, frame.height)
        if size != (frame.width, frame.height):
            raise BadInput(f"the frames of {path} change their size on the way: convert it to one size.")
        yield frame
    if damage is None:
        tally.judge()
    if size is None:
        raise BadInput(f"{path} holds a video stream without a frame: give a clip with at least one.")


def _checked(
    container: InputContainer, stream: VideoStream, path: Path, damage: Damage
) -> Generator[VideoFrame]:
    decoder = _decoder(stream, is_exact=bool(damage.is_accepted))
    checks = SliceChecks() if stream.codec_context.name == "ffv1" else None
    num_packets, number = 0, 0
    for packet in container.demux(stream):
        if packet.size:
            num_packets += 1
            if packet.is_corrupt and packet.pts is not None:
                damage.hurt.add(packet.pts)
            if checks is not None:
                checks.see(bytes(packet), packet.pts)
        for frame in _decoded(decoder, packet, damage):
            number += 1
            if frame.is_corrupt:
                damage.hurt.add(number if frame.pts is None else frame.pts)
            yield frame
    if checks is not None:
        damage.hurt |= checks.hurt
    check_complete(path, container.format.name, num_packets, stream.frames)
    if not number and damage.num_lost:
        raise BadInput(f"no frame of {path} can be decoded: give a file that plays.")


def _decoded(
    decoder: VideoCodecContext, packet: Packet[VideoStream], damage: Damage
) -> Generator[VideoFrame]:
    """What a packet gives, or at the end (an empty packet) what the decoder still holds."""
    tries = 0
    while True:
        try:
            yield from decoder.decode(packet if packet.size else None)
        except av.InvalidDataError:
            damage.num_lost += 1
            tries += 1
            if not packet.size and tries < _MOST_HELD:
                continue
        except av.EOFError:
            pass
        return


def _decoder(stream: VideoStream, *, is_exact: bool) -> VideoCodecContext:
    """The stream's decoder; the one that keeps alpha where the file has it. `is_exact` loses no frame next to an error."""
    own = stream.codec_context
    name = _KEEPS_ALPHA.get(own.name) if stream.metadata.get("alpha_mode") == "1" else None
    decoder = own
    if name in av.codecs_available:
        made = CodecContext.create(name, "r")
        assert isinstance(made, VideoCodecContext)
        decoder = made
    decoder.options = {"err_detect": _CHECKS}
    if is_exact:
        decoder.thread_count = 1  # after an error, PyAV drops what other threads have ready
    else:
        decoder.thread_type = "AUTO"
    return decoder
