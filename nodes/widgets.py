"""Widgets that several nodes have, and what they stand for."""

from typing import Literal

from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.finish import Blend, Finish
from reelpatch.clips.frames import METHODS, Method
from reelpatch.clips.mask_picture import MASK_CHANNELS, MaskChannel
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.errors import BadInput
from reelpatch.sampling.step_range import check_half_size_steps

Fit = Method | Literal["none"]
FIT: tuple[Fit, ...] = (*METHODS, "none")
FOUND_OUT = -1.0
MAX_SIDE_PX = 16384
MORE_PIXELS = "Working height in pixels; more pixels need more memory and time than in proportion."


def fit_input() -> io.Input:
    """How a clip is brought to a size that is legal."""
    return io.Combo.Input(
        "fit",
        options=list(FIT),
        default="pad",
        tooltip=(
            "pad: all of the picture, its own edges repeated around it. crop: the centre fills the frame, "
            "the rest stays as it was. stretch: all of it, out of proportion. area: all of it, at the legal size of "
            "its own shape that has the pixels of width times height. none: refuse a clip that does not fit as it is."
        ),
    )


def chosen_fit(fit: Fit) -> Method | None:
    """What the widget of `fit_input` says."""
    return None if fit == "none" else fit


def skip_hints_input() -> io.Input:
    """Whether skip-layer guidance takes hints with it; optional, as prompts from before are without."""
    return io.Boolean.Input(
        "skip_hints",
        default=False,
        optional=True,
        advanced=True,
        tooltip=(
            "Where a guider skips a block, leave out the hint that follows it too, as WanVideoWrapper does; off, the "
            "hint stays, as in ComfyUI's own VACE model."
        ),
    )


def times_in_result_input() -> io.Input:
    """Who obeys the times of a mask; optional, as prompts from before are without."""
    return io.Boolean.Input(
        "times_in_result",
        default=False,
        optional=True,
        advanced=True,
        tooltip=(
            "For a mask that changes in time: on, the model edits all frames at its places, and the others are put back at the end; "
            "off, the model sees the others as they are and goes on from them."
        ),
    )


def half_size_steps_input() -> io.Input:
    """How many steps begin the run at half the size; optional, as prompts from before are without."""
    return io.Int.Input(
        "half_size_steps",
        default=0,
        min=0,
        max=999,
        optional=True,
        advanced=True,
        tooltip=(
            "So many of the first steps are made at half the width and height, the others go on from them at full size: less to "
            "compute, and another result. 0: none."
        ),
    )


def check_half_size_run(steps: int, sigmas: Tensor) -> None:
    """Raises: `BadInput` for steps at half the size that the run of these sigmas [steps + 1] cannot begin with."""
    if not steps:
        return
    check_half_size_steps(steps, len(sigmas) - 1)
    if float(sigmas[-1]) != 0:
        raise BadInput(
            f"the sigmas end at {float(sigmas[-1]):g}, but steps at half the size begin a whole run, whose sigmas end at 0: connect "
            "those of Recipe, or use 0.",
            setting="half_size_steps",
        )


def size_inputs(of_width: str, of_height: str) -> list[io.Input]:
    """Width and height in pixels, 0 and 0 for none, with these tooltips."""
    return [
        io.Int.Input(name, default=0, min=0, max=MAX_SIDE_PX, step=16, tooltip=tooltip)
        for name, tooltip in (("width", of_width), ("height", of_height))
    ]


def asked_size(width: int, height: int) -> tuple[int, int] | None:
    """(height, width), or None for 0 and 0. Raises: BadInput for one without the other."""
    if bool(width) != bool(height):
        raise BadInput(
            "one of width and height is 0: give both in pixels, or 0 for both to keep the clip's size."
        )
    return (height, width) if width else None


def finish_inputs(*, optional: bool = True) -> list[io.Input]:
    """How Finish clip fits the edit to the clip around it; `optional` where prompts from before may be without."""
    return [
        io.Int.Input(
            "grow",
            default=0,
            min=-512,
            max=512,
            optional=optional,
            tooltip="Widens the mask by so many pixels; below 0 it is narrowed.",
        ),
        io.Int.Input(
            "feather",
            default=0,
            min=0,
            max=512,
            optional=optional,
            tooltip="Softens the mask's edge by so many pixels each way. Beyond that, nothing of the source changes.",
        ),
        io.Combo.Input(
            "blend",
            options=["plain", "edges"],
            default="plain",
            optional=optional,
            tooltip="edges: the soft edge follows the edges of the picture; it needs a feather to lie in.",
        ),
        io.Combo.Input(
            "match",
            options=["none", "mean", "histogram"],
            default="none",
            optional=optional,
            tooltip=(
                "Moves the colours of the edit to where its kept pixels have those of the source: by mean and spread, or "
                "by all of the histogram. Without a mask this also undoes changes of colour that were asked for."
            ),
        ),
        io.Float.Input(
            "match_frames",
            default=8.0,
            min=0.0,
            max=10_000.0,
            step=0.5,
            optional=optional,
            tooltip="Over about how many frames the match is steadied; 0 is one match for the whole clip.",
        ),
    ]


def mask_inputs() -> list[io.Input]:
    """What of a mask's file is meant; last of a node's widgets and optional, for graphs from before."""
    return [
        io.Combo.Input(
            "mask_channel",
            options=list(MASK_CHANNELS),
            default="auto",
            optional=True,
            tooltip=(
                "What of a mask video marks what is edited; auto finds out and says it, or refuses what it cannot tell. "
                "A MASK has one channel already."
            ),
        ),
        io.Float.Input(
            "mask_threshold",
            default=FOUND_OUT,
            min=FOUND_OUT,
            max=1.0,
            step=0.01,
            optional=True,
            tooltip=(
                "From which part of a mask video's scale on it is edited; 0 takes soft values as they are, -1 finds out: "
                "hard for two levels and noise of a codec, soft for soft edges."
            ),
        ),
    ]


def chosen_mask(channel: MaskChannel, threshold: float) -> AskedMask:
    """What the widgets of `mask_inputs` say. Raises: BadInput as `AskedMask`."""
    return AskedMask(channel, None if threshold < 0 else threshold)


def chosen_finish(
    grow: int = 0,
    feather: int = 0,
    blend: Blend = "plain",
    match: Literal["none", "mean", "histogram"] = "none",
    match_frames: float = 8.0,
) -> Finish:
    """What the widgets of `finish_inputs` say."""
    return Finish(grow, feather, blend, None if match == "none" else match, match_frames)
