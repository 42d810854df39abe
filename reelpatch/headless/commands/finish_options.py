"""The options of an edit that say how it is put back into its clip."""

import argparse
from typing import TYPE_CHECKING, Any

from reelpatch.headless.commands import option_values

if TYPE_CHECKING:
    from reelpatch.clips.worked_clip import Finishing


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds them to a verb."""
    add = parser.add_argument_group("how the edit is put back").add_argument
    add(
        "--grow",
        type=option_values.whole,
        default=0,
        metavar="PX",
        help="widen the mask, or narrow it below 0 (%(default)s)",
    )
    add(
        "--feather",
        type=option_values.whole,
        default=0,
        metavar="PX",
        help="soften its border, so far each way (%(default)s)",
    )
    add(
        "--blend",
        choices=("plain", "edges"),
        default="plain",
        help="edges: let the soft border follow edges of the picture (%(default)s)",
    )
    add(
        "--match",
        choices=("mean", "histogram"),
        help="move the colours of the edit to where its kept pixels have those of the clip",
    )
    add(
        "--match-frames",
        type=option_values.number,
        default=8.0,
        metavar="N",
        help="over how many frames a match is steadied; 0: one for the clip (%(default)g)",
    )
    add(
        "--crop",
        type=option_values.whole,
        nargs="?",
        const=16,
        metavar="PX",
        help="edit only a box that follows the mask, with so much around it (16)",
    )


def chosen(options: argparse.Namespace) -> "Finishing":
    """What the options say. Raises: BadInput for numbers that no edit can have."""
    from reelpatch.clips.finish import Finish
    from reelpatch.clips.worked_clip import Finishing

    values: dict[str, Any] = {
        "grow_px": options.grow,
        "feather_px": options.feather,
        "blend": options.blend,
        "match": options.match,
        "match_frames": options.match_frames,
    }
    return Finishing(Finish(**values), options.crop)
