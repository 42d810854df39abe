"""Values of options that several verbs take, as they are written on the command line."""

import argparse
import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from reelpatch.errors import BadInput

if TYPE_CHECKING:
    from reelpatch.clips.frames import Box
    from reelpatch.clips.tasks import Sides


def size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT as (height, width)."""
    found = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size, write it as WIDTHxHEIGHT, such as 832x480")
    return int(found[2]), int(found[1])


def window(text: str) -> tuple[float, float]:
    """START,END as fractions of the run."""
    try:
        start, end = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no window, write it as START,END in fractions of the run, such as 0,0.5"
        ) from None
    return start, end


def fps(text: str) -> Fraction:
    """A frame rate from 24 or 30000/1001."""
    try:
        fps = Fraction(text)
    except (ValueError, ZeroDivisionError):
        fps = Fraction(0)
    if fps <= 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no frame rate, write it as 24 or 30000/1001")
    return fps


def numbers(text: str) -> tuple[int, ...]:
    """Frame numbers from 0,8,16."""
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no list of frames, write it as 0,8,16")
    return tuple(map(int, text.split(",")))


def box(text: str) -> "Box":
    """A box from LEFT,TOP,WIDTH,HEIGHT."""
    from reelpatch.clips.frames import Box

    found = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no box, write it as LEFT,TOP,WIDTH,HEIGHT, such as 40,20,64,64"
        )
    left, top, width, height = map(int, found.groups())
    return Box(top, left, height, width)


def sides(text: str) -> "Sides":
    """Sides that grow, from left=0.25,right=0.25."""
    from reelpatch.clips.tasks import Sides

    parts: dict[str, float] = {}
    for item in text.split(","):
        found = re.fullmatch(r"(up|down|left|right)=(\d*\.?\d+)", item.strip())
        if not found or found[1] in parts:
            raise argparse.ArgumentTypeError(
                f"'{text}' does not say which sides grow, write it as left=0.25,right=0.25 (up, down, left, right)"
            )
        parts[found[1]] = float(found[2])
    try:
        return Sides(**parts)
    except BadInput as error:  # argparse would take any ValueError for a wrong spelling
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error


def lora(text: str) -> tuple[Path, tuple[float, ...]]:
    """FILE, or FILE:STRENGTH,...; without strengths, 1."""
    name, colon, strengths = text.rpartition(":")
    try:
        return Path(name if name else text), tuple(map(float, strengths.split(",") if name else ("1",)))
    except ValueError:
        # A colon may belong to the path (`C:\loras\x.safetensors`); a strength has no folders in it.
        if colon and not Path(text).exists() and not re.search(r"[\\/]|\.safetensors", strengths):
            raise argparse.ArgumentTypeError(
                f"'{strengths}' is no strength, write it as a number, such as FILE:0.8, or as several that share the "
                "steps, such as FILE:1,0.5"
            ) from None
        return Path(text), (1.0,)
