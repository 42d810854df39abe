"""Values of options that several verbs take, as they are written on the command line."""

import argparse
import math
import os.path
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from reelpatch.errors import BadInput

if TYPE_CHECKING:
    from reelpatch.clips.frames import Box
    from reelpatch.edits.vace.task_layouts import Sides


MAX_COUNT = 1_000_000  # of frames, pixels and whatever else is counted
MAX_STEPS = 1000  # as many as the models were trained on
MAX_SIDE = 32_768
MAX_NUMBER = 1e6
MAX_FPS = 10_000
_MAX_SEED = 2**63 - 1
_SHOWN_CHARACTERS = 40


def as_option(setting: str) -> str:
    """How the command line spells a setting of the engine's."""
    return f"--{setting.replace('_', '-')}"


def whole(text: str) -> int:
    """A whole number of at most `MAX_COUNT`, either way."""
    return _whole(text, -MAX_COUNT, MAX_COUNT)


def steps(text: str) -> int:
    """A number of steps, of at most `MAX_STEPS`."""
    return _whole(text, -MAX_STEPS, MAX_STEPS)


def seed(text: str) -> int:
    """A seed, of at most `_MAX_SEED`."""
    return _whole(text, -_MAX_SEED, _MAX_SEED)


def number(text: str) -> float:
    """A finite number of at most `MAX_NUMBER`, either way."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= MAX_NUMBER:  # NaN is not either
        raise argparse.ArgumentTypeError(
            f"'{_shown(text)}' is no number up to {MAX_NUMBER:.0f}, write it as 1 or 0.5"
        )
    return value


def _whole(text: str, least: int, most: int) -> int:
    value = int(text) if re.fullmatch(r"[+-]?\d{1,20}", text) else most + 1
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"'{_shown(text)}' is no whole number up to {most}")
    return value


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _counts(text: str, groups: tuple[str, ...], form: str, most: int = MAX_COUNT) -> list[int]:
    """Whole numbers that were found, none of them above `most`."""
    values = [int(group) if len(group) <= len(str(most)) else most + 1 for group in groups]
    if max(values) > most:
        raise argparse.ArgumentTypeError(f"'{_shown(text)}' {form} has a number above {most}")
    return values


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT as (height, width)."""
    found = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(
            f"'{_shown(text)}' is not a size, write it as WIDTHxHEIGHT, such as 832x480"
        )
    width, height = _counts(text, found.groups(), "is no size that any clip has: it", MAX_SIDE)
    return height, width


def window(text: str) -> tuple[float, float]:
    """START,END as fractions of the run."""
    try:
        start, end = map(number, text.split(","))
    except (ValueError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(
            f"'{_shown(text)}' is no window, write it as START,END in fractions of the run, such as 0,0.5"
        ) from None
    return start, end


def fps(text: str) -> Fraction:
    """A frame rate from 24 or 30000/1001."""
    is_rate = re.fullmatch(r"\d{1,9}(\.\d{1,9}|/\d{1,9})?", text)  # asked first: 1e999999999 would never end
    try:
        fps = Fraction(text if is_rate else 0)
    except ZeroDivisionError:
        fps = Fraction(0)
    if not 0 < fps <= MAX_FPS:
        raise argparse.ArgumentTypeError(
            f"'{_shown(text)}' is no frame rate up to {MAX_FPS}, write it as 24 or 30000/1001"
        )
    return fps


def numbers(text: str) -> tuple[int, ...]:
    """Frame numbers from 0,8,16."""
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f"'{_shown(text)}' is no list of frames, write it as 0,8,16")
    return tuple(_counts(text, tuple(text.split(",")), "is no list of frames: it"))


def frame_range(text: str) -> tuple[int, int]:
    """The first and the last frame from 0-24."""
    found = re.fullmatch(r"(\d+)-(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(
            f"'{_shown(text)}' is no range of frames, write it as FIRST-LAST, such as 0-24"
        )
    first, last = _counts(text, found.groups(), "is no range of frames: it")
    return first, last


def blocks(text: str) -> tuple[int, ...]:
    """Blocks of a model from 0,5,10."""
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f"'{_shown(text)}' is no list of blocks, write it as 0,5,10")
    return tuple(_counts(text, tuple(text.split(",")), "is no list of blocks: it"))


def box(text: str) -> "Box":
    """A box from LEFT,TOP,WIDTH,HEIGHT."""
    from reelpatch.clips.frames import Box

    found = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(
            f"'{_shown(text)}' is no box, write it as LEFT,TOP,WIDTH,HEIGHT, such as 40,20,64,64"
        )
    left, top, width, height = _counts(text, found.groups(), "is no box in any clip: it")
    return Box(top, left, height, width)


def sides(text: str) -> "Sides":
    """Sides that grow, from left=0.25,right=0.25."""
    from reelpatch.edits.vace.task_layouts import Sides

    parts: dict[str, float] = {}
    for item in text.split(","):
        found = re.fullmatch(r"(up|down|left|right)=(\d*\.?\d+)", item.strip())
        if not found or found[1] in parts:
            raise argparse.ArgumentTypeError(
                f"'{_shown(text)}' does not say which sides grow, write it as left=0.25,right=0.25 (up, down, left, right)"
            )
        parts[found[1]] = number(found[2])
    try:
        return Sides(**parts)
    except BadInput as error:  # argparse would take any ValueError for a wrong spelling
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def lora(text: str) -> tuple[Path, tuple[float, ...]]:
    """FILE, or FILE:STRENGTH,...; without strengths, 1."""
    name, colon, strengths = text.rpartition(":")
    try:
        return Path(name if name else text), tuple(map(number, strengths.split(",") if name else ("1",)))
    except (ValueError, argparse.ArgumentTypeError):
        # A colon may belong to the path (`C:\loras\x.safetensors`); a strength has no folders in it.
        # Unlike Path.exists, os.path.exists is False for a name too long for any file.
        is_there = os.path.exists(text)  # noqa: PTH110
        if colon and not is_there and not re.search(r"[\\/]|\.safetensors", strengths):
            raise argparse.ArgumentTypeError(
                f"'{_shown(strengths)}' is no strength, write it as a number, such as FILE:0.8, or as several that share the "
                "steps, such as FILE:1,0.5"
            ) from None
        return Path(text), (1.0,)
