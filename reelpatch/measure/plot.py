"""The measures of an edit over time, drawn."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from reelpatch.measure.measures import Measures

_WIDTH, _PANEL, _LEFT, _RIGHT, _TOP, _BOTTOM = 900, 190, 64, 16, 28, 26  # pixels
_INK, _PALE, _PAPER, _JOIN = (30, 30, 30), (215, 215, 215), (250, 250, 248), (200, 140, 40)
_BLUE, _GREY, _RED, _GREEN = (40, 90, 170), (140, 140, 140), (190, 60, 50), (50, 140, 70)
_TEXT_PX = 13
_SMALLEST_SPAN = 1.0  # so that a difference nobody sees is not drawn from top to bottom
_Place = Callable[[float], float]


@dataclass(frozen=True)
class _Line:
    name: str
    colour: tuple[int, int, int]
    values: Sequence[float | None]  # one for each frame, or for each pair of frames


def plot(measures: Measures) -> Image.Image:
    """Four panels over the frames: PSNR outside, change inside, flicker, and colour offset; joins as upright lines."""
    red, green, blue = zip(*measures.offset_by_frame, strict=True)
    outside, inside = (" outside the mask", " inside the mask") if measures.has_mask else ("", "")
    panels = (
        (f"PSNR{outside}, dB (no line: equal)", [_Line("", _BLUE, measures.psnr_by_frame)]),
        (f"change{inside}, levels", [_Line("", _BLUE, measures.change_by_frame)]),
        (
            "flicker, levels" if measures.flicker else "flicker: not measured, OpenCV is not installed",
            [
                _Line("before", _GREY, measures.flicker.pairs_before),
                _Line("after", _BLUE, measures.flicker.pairs_after),
            ]
            if measures.flicker
            else [],
        ),
        (
            "colour offset, levels",
            [_Line("R", _RED, red), _Line("G", _GREEN, green), _Line("B", _BLUE, blue)],
        ),
    )
    page = Image.new("RGB", (_WIDTH, _PANEL * len(panels)), _PAPER)
    draw = ImageDraw.Draw(page)
    at = [join.frame for join in measures.joins]
    for index, (title, lines) in enumerate(panels):
        _panel(draw, index * _PANEL, title, lines, measures.frames, at)
    return page


def _panel(
    draw: ImageDraw.ImageDraw, top: int, title: str, lines: Sequence[_Line], frames: int, at: Sequence[int]
) -> None:
    font = ImageFont.load_default(_TEXT_PX)
    above, below, right = top + _TOP, top + _PANEL - _BOTTOM, _WIDTH - _RIGHT
    low, high = _range([value for line in lines for value in line.values])

    def column(index: float) -> float:
        return _LEFT + index / max(frames - 1, 1) * (right - _LEFT)

    def row(value: float) -> float:
        return below - (value - low) / (high - low) * (below - above)

    draw.text((_LEFT, top + 6), title, _INK, font)
    draw.rectangle((_LEFT, above, right, below), outline=_PALE)
    for value in (low, high):
        draw.text((8, row(value) - _TEXT_PX / 2), f"{value:.4g}", _INK, font)
    draw.text((_LEFT, below + 5), "frame 0", _INK, font)
    draw.text((right, below + 5), f"{frames - 1}", _INK, font, anchor="ra")
    for frame in at:
        draw.line((column(frame), above, column(frame), below), fill=_JOIN)
    left = right
    for line in reversed(lines):
        left -= draw.textlength(line.name, font) + 12
        draw.text((left, top + 6), line.name, line.colour, font)
        _curve(draw, line, column, row)


def _curve(draw: ImageDraw.ImageDraw, line: _Line, column: _Place, row: _Place) -> None:
    """Gaps stand where there is no finite value; a value alone is a dot."""
    stretch: list[tuple[float, float]] = []
    for index, value in enumerate([*line.values, None]):
        if value is not None and math.isfinite(value):
            stretch.append((column(index), row(value)))
            continue
        if len(stretch) > 1:
            draw.line(stretch, fill=line.colour, width=2)
        elif stretch:
            x, y = stretch[0]
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=line.colour)
        stretch = []


def _range(values: Sequence[float | None]) -> tuple[float, float]:
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    spare = max(0.0, _SMALLEST_SPAN - (high - low)) / 2
    return low - spare, high + spare
