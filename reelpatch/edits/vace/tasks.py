"""The tasks by name: what each needs from the user, and how that becomes the input of a VACE-type model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction

import torch
from torch import Tensor

from reelpatch.clips.cover import cover
from reelpatch.clips.frames import Box, Size, check_clip
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.masks import check_mask
from reelpatch.clips.references import check_reference
from reelpatch.edits.vace import task_layouts as tasks
from reelpatch.edits.vace.sizing import Sampling, SizePlan, TokenBudget, plan_size
from reelpatch.edits.vace.task_layouts import Sides, VaceInput
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

# What it is, and the setting that gives it.
_WORDS = {
    "clip": ("a clip", "clip"),
    "first": ("a first frame or beginning", "first"),
    "last": ("a last frame or ending", "last"),
    "mask": ("a mask", "mask"),
    "boxes": ("a box", "box"),
    "references": ("a reference", "reference"),
    "sides": ("sides that grow", "expand"),
    "keep": ("frames to keep", "keep"),
}


@dataclass(frozen=True, eq=False)
class TaskMaterial:
    """What the user has; tasks differ in which of it they use.

    `first` and `last` are how the result begins and ends: one frame each, or several. `times_s` says when the frames
    of `clip` are shown, where that is not at a fixed rate.

    Shapes: clip, first, last [F, H, W, 3]; mask [F, H, W], or [1, H, W] for the whole clip; references
        [h, w, 1 | 3 | 4]; all in [0, 1].
    Units: boxes in pixels of the clip or of the first frame; `keep` counts frames of the clip from 0.
    """

    clip: Tensor | None = None
    first: Tensor | None = None
    last: Tensor | None = None
    mask: Tensor | None = None
    boxes: tuple[Box, ...] = ()
    references: tuple[Tensor, ...] = ()
    sides: Sides | None = None
    keep: tuple[int, ...] = ()
    times_s: Sequence[Fraction] | None = None

    def has(self, name: str) -> bool:
        """Whether there is any of it."""
        value = getattr(self, name)
        return value is not None and value != ()

    def the_clip(self) -> Tensor:
        """The clip of a task that needs one."""
        assert self.clip is not None  # `build_task` has refused its absence
        return self.clip


@dataclass(frozen=True)
class Sizing:
    """How large and long the result may be, and which frames of a longer clip are worked on.

    Tasks that begin with a clip keep its aspect and length, within the tokens that this size and length use up; the
    others make `frames` frames, in this size where nothing else gives the aspect.

    Units: size = (height, width) in pixels.
    Raises: BadInput for a length or size that is not legal; the message offers the nearest.
    """

    frames: int
    size: Size
    sampling: Sampling = "first"

    def __post_init__(self) -> None:
        _ = self.budget  # refuses what is not legal

    @property
    def budget(self) -> TokenBudget:
        """The tokens that this size and length use up."""
        return TokenBudget.of(self.frames, *self.size)


@dataclass(frozen=True, eq=False)
class BuiltTask:
    """The input of the model, and how it came about; `plan` is None where no clip or image gave the size."""

    input: VaceInput
    plan: SizePlan | None

    @property
    def speed(self) -> Fraction:
        """How many times as fast as its clip the result plays at the clip's own rate."""
        if self.plan is None or self.plan.picks == tuple(range(self.plan.frames)):
            return Fraction(1)
        return Fraction(self.plan.source_frames, self.plan.frames)

    def describe(self) -> str:
        """One sentence for the person who asked for it."""
        if self.plan is not None:
            return self.plan.describe()
        frames, height, width = self.input.mask.shape
        return f"The result is made up as {width}x{height}, {frames} frames."


_Build = Callable[[TaskMaterial, Sizing], BuiltTask]


@dataclass(frozen=True)
class Task:
    """One task: `needs` are groups of material of which one has to be there, `takes` what may be added."""

    name: str
    title: str
    needs: tuple[tuple[str, ...], ...]
    takes: tuple[str, ...]
    build: _Build


def build_task(name: str, material: TaskMaterial, sizing: Sizing) -> BuiltTask:
    """The source video, mask and references of a task, at the size and length that are worked on.

    Raises: BadInput for an unknown task, for material that it lacks or has no use for, and for any of it that is not
        what it should be.
    """
    if name not in TASKS:
        raise BadInput(f"there is no task '{name}': use one of {', '.join(TASKS)}.")
    task = TASKS[name]
    for group in task.needs:
        if not any(material.has(one) for one in group):
            words, settings = zip(*(_WORDS[one] for one in group), strict=True)
            raise BadInput(f"the task '{name}' needs {' or '.join(words)}: add it.", setting=settings)
    used = {one for group in task.needs for one in group} | set(task.takes)
    for field in fields(material):
        if field.name in _WORDS and field.name not in used and material.has(field.name):
            words, setting = _WORDS[field.name]
            others = ", ".join(other.name for other in TASKS.values() if _uses(other, field.name))
            raise BadInput(
                f"the task '{name}' has no use for {words}: leave it out, or use {others}.", setting=setting
            )
    _check(material)
    built = task.build(material, sizing)
    if material.has("mask"):
        Cover.of(built.input.hard_mask).check_any()
    return BuiltTask(built.input.with_references(material.references), built.plan)


def draw_frames(count: int, clip_frames: int, sizing: Sizing, *, seed: int) -> tuple[int, ...]:
    """Which frames of a clip to keep, drawn by the seed among those worked on from its start, in order.

    Raises: BadInput for none or all of them, and where frames are picked evenly instead.
    """
    if sizing.sampling == "uniform":
        raise BadInput("frames cannot be drawn from evenly picked ones: name them.", setting="keep")
    per_latent = WAN.lattice.frames_per_latent
    within = (min(sizing.frames, clip_frames) - 1) // per_latent * per_latent + 1
    if not 0 < count < within:
        raise BadInput(
            f"{count} frames were to be kept at random: ask for at least 1 and fewer than the {within} that are worked "
            "on.",
            setting="keep_random",
        )
    drawn = torch.randperm(within, generator=torch.Generator("cpu").manual_seed(seed))
    return tuple(sorted(drawn[:count].tolist()))


def _uses(task: Task, name: str) -> bool:
    return name in task.takes or any(name in group for group in task.needs)


def _check(material: TaskMaterial) -> None:
    for clip in (material.clip, material.first, material.last):
        if clip is not None:
            check_clip(clip)
    for number, image in enumerate(material.references, 1):
        check_reference(image, number)
    if material.clip is not None and material.mask is not None:
        frames, height, width, _ = material.clip.shape
        check_mask(material.mask, 1 if len(material.mask) == 1 else frames, height, width)


def _planned(images: Tensor, sizing: Sizing, material: TaskMaterial | None = None) -> SizePlan:
    """For a clip with its own length; without one (no material) for the length asked for."""
    frames = sizing.frames if material is None else len(images)
    times = None if material is None else material.times_s
    size = (images.shape[1], images.shape[2])
    return plan_size(frames, size, sizing.budget, sampling=sizing.sampling, times_s=times)


def _control(material: TaskMaterial, sizing: Sizing) -> BuiltTask:
    clip = material.the_clip()
    plan = _planned(clip, sizing, material)
    mask = None if material.mask is None else plan.apply_to_mask(material.mask)
    return BuiltTask(tasks.control(plan.apply(clip), mask), plan)


def _inpaint(material: TaskMaterial, sizing: Sizing) -> BuiltTask:
    clip = material.the_clip()
    plan = _planned(clip, sizing, material)
    size = (clip.shape[1], clip.shape[2])
    masks = [tasks.box_mask(box, size) for box in material.boxes]
    if material.mask is not None:
        masks.append(material.mask)
    mask = masks[0]
    for other in masks[1:]:
        mask = torch.maximum(mask, other)
    return BuiltTask(tasks.inpaint(plan.apply(clip), plan.apply_to_mask(mask)), plan)


def _outpaint(material: TaskMaterial, sizing: Sizing) -> BuiltTask:
    canvas = _on_canvas(material.the_clip(), material.sides)
    plan = _planned(canvas.clip, sizing, material)
    return BuiltTask(VaceInput(plan.apply(canvas.clip), plan.apply_to_mask(canvas.mask)), plan)


def _extend(material: TaskMaterial, sizing: Sizing) -> BuiltTask:
    given = [part for part in (material.first, material.last) if part is not None]
    plan = _planned(given[0], sizing)
    first, last = (
        None if part is None else cover(part, plan.size) for part in (material.first, material.last)
    )
    return BuiltTask(tasks.extend(first, last, plan.frames, plan.size), plan)


def _keep(material: TaskMaterial, sizing: Sizing) -> BuiltTask:
    clip = material.the_clip()
    plan = _planned(clip, sizing, material)
    for index in material.keep:
        if index not in plan.picks and 0 <= index < len(clip):
            near = min(plan.picks, key=lambda pick: abs(pick - index))
            raise BadInput(
                f"frame {index} is to be kept, but is not among the {plan.frames} that are worked on: the nearest is "
                f"{near}, or ask for more frames.",
                setting=("keep", "frames"),
            )
    kept = [plan.picks.index(index) if index in plan.picks else index for index in material.keep]
    return BuiltTask(tasks.keep_frames(plan.apply(clip), kept), plan)


def _reference(_: TaskMaterial, sizing: Sizing) -> BuiltTask:
    return BuiltTask(tasks.reference(sizing.frames, sizing.size), None)


def _move(material: TaskMaterial, sizing: Sizing) -> BuiltTask:
    image = _one_frame(material.first)
    plan = _planned(image, sizing)
    if len(material.boxes) != 2:
        raise BadInput(
            f"{len(material.boxes)} boxes were given: the task 'move' needs two, where the object is in the first "
            "frame and where it ends up.",
            setting="box",
        )
    moved = tasks.move(image[0], *material.boxes, plan.frames)
    return BuiltTask(
        VaceInput(cover(moved.clip, plan.size), moved.mask[:, :1, :1].expand(-1, *plan.size)), plan
    )


def _expand(material: TaskMaterial, sizing: Sizing) -> BuiltTask:
    canvas = _on_canvas(_one_frame(material.first), material.sides)
    plan = _planned(canvas.clip, sizing)
    still = cover(canvas.clip, plan.size)
    built = tasks.extend(still, None, plan.frames, plan.size)
    built.mask[:1] = cover(canvas.mask[..., None], plan.size)[..., 0]
    return BuiltTask(built, plan)


def _on_canvas(clip: Tensor, sides: Sides | None) -> VaceInput:
    return tasks.outpaint(clip, sides or Sides())


def _one_frame(images: Tensor | None) -> Tensor:
    if images is None or len(images) != 1:
        count = 0 if images is None else len(images)
        raise BadInput(
            f"the beginning has {count} frames, but this task needs a single image: give one.",
            setting="first",
        )
    return images


_WHERE = ("mask", "boxes")
TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            "control",
            "restyle a clip, or follow a control map (edges, depth, pose, gray)",
            (("clip",),),
            ("mask", "references"),
            _control,
        ),
        Task("inpaint", "make up what a mask or box covers", (("clip",), _WHERE), ("references",), _inpaint),
        Task(
            "outpaint",
            "make up what lies beyond the picture",
            (("clip",), ("sides",)),
            ("references",),
            _outpaint,
        ),
        Task(
            "extend",
            "go on after first frames, lead up to last ones, or fill in between",
            (("first", "last"),),
            ("references",),
            _extend,
        ),
        Task(
            "keep",
            "make up all frames of a clip but the chosen ones",
            (("clip",), ("keep",)),
            ("references",),
            _keep,
        ),
        Task("reference", "make a clip of the faces and objects shown", (("references",),), (), _reference),
        Task(
            "swap",
            "put what a reference shows in the place of what a mask or box covers",
            (("clip",), _WHERE, ("references",)),
            (),
            _inpaint,
        ),
        Task(
            "animate",
            "make what a reference shows move as a pose map does",
            (("clip",), ("references",)),
            (),
            _control,
        ),
        Task(
            "move",
            "move something in an image from one box to another",
            (("first",), ("boxes",)),
            ("references",),
            _move,
        ),
        Task(
            "expand",
            "make up what lies beyond an image, and what happens in it",
            (("first",), ("sides",)),
            ("references",),
            _expand,
        ),
    )
}
