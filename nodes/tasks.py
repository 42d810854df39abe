"""VACE task: what a VACE-type model is to do, laid out as source video, mask and references."""

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.frames import Box
from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.edits.vace.sizing import Sampling
from reelpatch.edits.vace.task_layouts import Sides
from reelpatch.edits.vace.tasks import TASKS, BuiltTask, Sizing, TaskMaterial, build_task, draw_frames
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

from .clips import MAX_FPS, part_of_sound
from .node_message import say
from .sampling import numbers
from .sockets import REFERENCES, WORKED_CLIP
from .widgets import MAX_SIDE_PX

DEFAULT_FPS = 16
_BOX = re.compile(r"\s*([0-9]{1,6})\s*,\s*([0-9]{1,6})\s*,\s*([0-9]{1,6})\s*,\s*([0-9]{1,6})\s*")
_SHOWN = 40  # of what is no box


class VaceTask(io.ComfyNode):
    """The engine lays the task out; this node shows for each task what it takes, and hands on what came of it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchTask",
            display_name="VACE task",
            category="reelpatch",
            description=(
                "Lays out what a VACE-type model (VDOT, VACE) is to do: inpaint, outpaint, extend, follow a control map, "
                "swap, animate and more. Gray filling, the mask's polarity, size and length are done for you."
            ),
            search_aliases=[
                *(
                    "vdot",
                    "vace",
                    "inpaint video",
                    "mask",
                    "inpaint",
                    "outpaint",
                    "extend",
                    "first last frame",
                    "control",
                    "swap",
                ),
                *("reference to video", "animate", "restyle", "expand", "move", "try on"),
            ],
            inputs=_inputs(),
            outputs=[
                WORKED_CLIP.Output(
                    display_name="video clip",
                    tooltip="For Apply edit and Finish clip, which gives kept frames and pixels back as they were.",
                ),
                io.Mask.Output(display_name="mask", tooltip="For Apply edit: 1 is made up, 0 is kept."),
                REFERENCES.Output(display_name="references", tooltip="For Apply edit."),
                io.Image.Output(
                    display_name="frames", tooltip="The source video as the model gets it, to look at."
                ),
                io.Int.Output(display_name="width"),
                io.Int.Output(display_name="height"),
                io.Int.Output(display_name="length"),
                io.Float.Output(display_name="fps"),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        task: dict[str, Any],
        width: int,
        height: int,
        frames: int,
        sample: Sampling,
        fps: float,
        references: list[Tensor] | None = None,
    ) -> io.NodeOutput:
        sizing = Sizing(frames, (height, width), sample)
        given = {
            name: _Frames(task[name], fps) for name in ("clip", "first", "last") if _is_there(task, name)
        }
        images = {name: one.images for name, one in given.items()}
        material = TaskMaterial(
            clip=images.get("clip"),
            first=images.get("first"),
            last=images.get("last"),
            mask=task.get("mask"),
            boxes=boxes(task.get("boxes", "")),
            references=tuple(references or ()),
            sides=_sides(task),
            keep=_kept(task, images.get("clip"), sizing),
        )
        built = build_task(task["task"], material, sizing)
        leading = next(iter(given.values()), None)
        clip = _working(built, leading, fps, has_clip="clip" in given)
        made_up = float(built.input.hard_mask.mean())
        say(
            cls,
            f"{TASKS[task['task']].title}. {built.describe()} {made_up:.0%} of it is made up; references: "
            f"{len(built.input.references)}; {float(clip.fps):g} frames per second.",
        )
        working_height, working_width = clip.plan.size
        return io.NodeOutput(
            clip,
            built.input.mask,
            list(built.input.references),
            clip.frames,
            working_width,
            working_height,
            clip.plan.frames,
            float(clip.fps),
        )


class _Frames:
    """The frames of a VIDEO or IMAGE, with the rate and sound they have."""

    def __init__(self, source: Any, fps: float) -> None:
        if isinstance(source, Tensor):
            self.images, self.fps, self.sound = source[..., :3], _rate(fps), None
            return
        components = source.get_components()
        # Decoded to float, colours can lie a little outside what a screen shows; NaN stays, and is refused.
        self.images = components.images.clamp(0, 1)
        self.fps, self.sound = Fraction(components.frame_rate), components.audio


def boxes(text: str) -> tuple[Box, ...]:
    """The boxes in "left,top,width,height; ...", in pixels. Raises: `BadInput` for anything else."""
    found: list[Box] = []
    for part in filter(str.strip, re.split(r"[;\n]", text)):
        box = _BOX.fullmatch(part)
        if box is None:
            raise BadInput(
                f"'{part.strip()[:_SHOWN]}' in boxes is no box: write left,top,width,height in pixels, such as 40,20,64,64, "
                "with a semicolon between two boxes."
            )
        left, top, width, height = map(int, box.groups())
        found.append(Box(top, left, height, width))
    return tuple(found)


def _is_there(task: dict[str, Any], name: str) -> bool:
    return task.get(name) is not None


def _rate(fps: float) -> Fraction:
    return Fraction(fps or DEFAULT_FPS).limit_denominator(1001)


def _sides(task: dict[str, Any]) -> Sides | None:
    names = ("up", "down", "left", "right")
    return Sides(**{name: task[name] for name in names}) if "up" in task else None


def _kept(task: dict[str, Any], clip: Tensor | None, sizing: Sizing) -> tuple[int, ...]:
    """The frames named, and as many more drawn as were asked for."""
    named = set(numbers(task.get("keep", ""), "keep") or ())
    count = task.get("random", 0)
    if count and clip is not None:
        named |= set(draw_frames(count, len(clip), sizing, seed=task["random_seed"]))
    return tuple(sorted(named))


def _working(built: BuiltTask, leading: _Frames | None, fps: float, *, has_clip: bool) -> WorkedClip:
    """What Apply edit and Finish clip need: the source video, and what of it is made up."""
    rate = _rate(fps) if leading is None else leading.fps
    sound = None
    if leading is not None and has_clip and built.speed == 1:
        sound = part_of_sound(leading.sound, Fraction(0), len(built.input.clip) / rate)
    clip = WorkedClip.of(built.input.clip, rate / built.speed, lattice=WAN.lattice, method=None, sound=sound)
    return replace(clip, made_up=built.input.hard_mask)


def _inputs() -> list[io.Input]:
    """What VACE task asks for; those of the chosen task follow its name."""
    return [
        io.DynamicCombo.Input(
            "task",
            options=[io.DynamicCombo.Option(name, inputs) for name, inputs in _inputs_of_tasks().items()],
            tooltip="What is to be done: "
            + "; ".join(f"{one.name}: {one.title}" for one in TASKS.values())
            + ".",
        ),
        REFERENCES.Input(
            "references",
            optional=True,
            tooltip="From References: faces, objects or clothes to be shown. reference, swap and animate need it.",
        ),
        io.Int.Input(
            "width",
            default=832,
            min=16,
            max=MAX_SIDE_PX,
            step=16,
            tooltip=(
                "Pixels. With height and frames, the most that is worked on; a clip or image keeps its aspect within it."
            ),
        ),
        io.Int.Input("height", default=480, min=16, max=MAX_SIDE_PX, step=16, tooltip="Pixels; see width."),
        io.Int.Input(
            "frames",
            default=81,
            min=1,
            max=100_001,
            step=4,
            tooltip="At most how many frames, 4n + 1. VDOT and VACE were made for 81.",
        ),
        io.Combo.Input(
            "sample",
            options=["first", "uniform"],
            tooltip=(
                "Of a longer clip: its first frames, or frames picked evenly from all of it (as published), which are "
                "shown at a lower rate."
            ),
        ),
        io.Float.Input(
            "fps",
            default=0.0,
            min=0.0,
            max=MAX_FPS,
            step=0.01,
            tooltip="Frames per second of images; 0 is 16. A video has its own.",
        ),
    ]


def _inputs_of_tasks() -> dict[str, list[io.Input]]:
    """For each task its own inputs, in the words of the engine's TaskMaterial."""
    clip = _frames_input("clip", "The clip to work on: a video, or images.")
    first = _frames_input("first", "How the result begins: an image, or a clip.", optional=True)
    last = _frames_input("last", "How the result ends: an image, or a clip.", optional=True)
    image = _frames_input("first", "The image that the result begins with.")
    where = io.Mask.Input(
        "mask",
        optional=True,
        tooltip="1 is made up, 0 is kept: one image, or one for each frame, of the clip's size.",
    )
    control = io.Mask.Input(
        "mask", optional=True, tooltip="Where the clip is followed or restyled (1); elsewhere it is kept."
    )
    box = io.String.Input(
        "boxes",
        default="",
        tooltip="left,top,width,height in pixels of the clip, in place of a mask or beside it; ; between boxes.",
    )
    two_boxes = io.String.Input(
        "boxes",
        default="",
        tooltip="Where the object is and where it ends up, such as 10,20,64,64; 200,20,64,64 (left,top,width,height).",
    )
    return {
        # The browser makes a node with its first choice, which therefore needs a widget: sockets alone are an error there.
        "inpaint": [clip, where, box],
        "control": [clip, control],
        "outpaint": [clip, *_side_inputs()],
        "extend": [first, last],
        "keep": [clip, *_keep_inputs()],
        "reference": [],
        "swap": [clip, where, box],
        "animate": [_frames_input("clip", "The pose map to follow.")],
        "move": [image, two_boxes],
        "expand": [image, *_side_inputs()],
    }


def _frames_input(name: str, tooltip: str, *, optional: bool = False) -> io.Input:
    return io.MultiType.Input(name, types=[io.Video, io.Image], optional=optional, tooltip=tooltip)


def _side_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            name,
            default=default,
            min=0.0,
            max=4.0,
            step=0.05,
            tooltip=f"How far the picture grows {where}, in parts of its {size}.",
        )
        for name, where, size, default in (
            ("up", "upwards", "height", 0.0),
            ("down", "downwards", "height", 0.0),
            ("left", "to the left", "width", 0.25),
            ("right", "to the right", "width", 0.25),
        )
    ]


def _keep_inputs() -> list[io.Input]:
    return [
        io.String.Input("keep", default="0", tooltip="Frames to keep, counted from 0, such as 0,8-12."),
        io.Int.Input(
            "random",
            default=0,
            min=0,
            max=100_000,
            tooltip="How many frames to keep beside, drawn at random.",
        ),
        io.Int.Input("random_seed", default=0, min=0, max=2**63 - 1, tooltip="Which frames are drawn."),
    ]
