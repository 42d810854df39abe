"""Decoded frames as what a screen of today shows: upright, 8-bit RGB; what had to be converted is said."""

import logging
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from reelpatch.media.decoding import said_of_streams
from reelpatch.media.deinterlace import progressive
from reelpatch.media.hdr import CURVES, to_sdr
from reelpatch.media.upright import Upright, upright_of

Frames = NDArray[np.uint8]
EXACT_COLOUR = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_HD_HEIGHT = 720  # untagged video is BT.709 from here on and BT.601 below, as players have it
_MATRICES = {1: Colorspace.ITU709, 5: Colorspace.ITU601, 6: Colorspace.ITU601, 7: Colorspace.SMPTE240M}
_BT2020 = (9, 10)
_log = logging.getLogger(__name__)


class ColourReader:
    """Converts the frames of one file, and says once what it does to them, unless it is to be quiet."""

    def __init__(self, path: Path, *, is_quiet: bool = False) -> None:
        self._path = path
        self._is_quiet = is_quiet
        self._said: set[str] = set()
        self._way_up: Upright | None = None

    @property
    def way_up(self) -> Upright:
        """That of the first frame, which holds for all."""
        return self._way_up or Upright()

    def shown(
        self, container: InputContainer, stream: VideoStream, frames: Iterable[VideoFrame]
    ) -> Generator[VideoFrame]:
        """The decoded frames of a stream, progressive, in the same number and at the same times."""
        if words := said_of_streams(container, stream):
            self._say(words)
        yield from progressive(frames, self._say)

    def upright(self, frame: VideoFrame, *, keeps_alpha: bool = False) -> Frames:
        """A decoded frame, [H, W, 3] of full range, turned and mirrored as its file says; [H, W, 4] where it may keep alpha."""
        components = frame.format.components
        bits = max(component.bits for component in components)
        if frame.color_trc in CURVES:
            image = to_sdr(_converted(frame, "rgb48le"), CURVES[frame.color_trc])
            self._say(f"is HDR ({CURVES[frame.color_trc]}); it is edited and given back as SDR of 8 bits")
        else:
            if bits > 8:
                self._say(f"has {bits} bits a colour; it is edited and given back with 8")
            has_alpha = any(component.is_alpha for component in components)
            image = _converted(frame, "rgba" if has_alpha else "rgb24")
            if has_alpha and not keeps_alpha:
                image = self.on_black(image)
        if self._way_up is None:
            self._way_up = upright_of(frame)
        return self._way_up.of(image)

    def on_black(self, image: Frames) -> Frames:
        """[H, W, 4] -> [H, W, 3], laid on black as players show it; opaque images keep every bit."""
        pixels, opacity = image[..., :3], image[..., 3:]
        if opacity.min() == 255:
            return pixels
        self._say("has transparent parts, which a clip does not keep; they are laid on black")
        return ((pixels.astype(np.uint16) * opacity + 127) // 255).astype(np.uint8)

    def _say(self, what: str) -> None:
        if not self._is_quiet and what not in self._said:
            self._said.add(what)
            _log.warning("%s %s.", self._path, what)


def _converted(frame: VideoFrame, pixel_format: str) -> Any:
    return frame.reformat(
        format=pixel_format,
        src_colorspace=None if frame.format.is_rgb else _matrix(frame),
        dst_color_range=ColorRange.JPEG,
        interpolation=EXACT_COLOUR,
    ).to_ndarray()


def _matrix(frame: VideoFrame) -> Colorspace:
    if frame.colorspace in _BT2020:
        return Colorspace.BT2020
    guess = Colorspace.ITU709 if min(frame.height, frame.width) >= _HD_HEIGHT else Colorspace.ITU601
    return _MATRICES.get(frame.colorspace, guess)
