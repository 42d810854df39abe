"""Values of options that several verbs take, as they are written on the command line."""

import argparse
import re


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
