"""The requests of `edit`, `task` and `enhance`: everything that a run is asked for."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from reelpatch.clips.frames import Box, Method, Size
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.clips.worked_clip import Finishing
from reelpatch.edits.vace.sizing import Sampling
from reelpatch.edits.vace.task_layouts import Sides
from reelpatch.headless.models.chosen_lora import ChosenLora
from reelpatch.headless.models.chosen_recipe import AskedModels
from reelpatch.headless.models.machine_options import MachineOptions
from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.media.beside import named_after
from reelpatch.media.mask_track_file import files_of_mask
from reelpatch.recipes import Recipe
from reelpatch.sampling.strengths import StrengthSchedule
from reelpatch.windows.window_run import WindowOptions

_NOT_READ = ("output", "models", "grounding_film")
_NAMES = {
    "references": "reference",
    "loras": "LoRA",
    "first": "first clip",
    "last": "last clip",
    "first_frame": "first frame",
}

Request = TypeVar("Request", bound="RunRequest")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """How a recipe is run, and where the result goes. What is None is the recipe's, or left to the machine.

    Units: size (height, width) in pixels is what is worked on; `frames` works on that many from the first; `fps` is that of
    a folder of images. With `accept_damage`, frames of the clip that decode with errors are worked on as they are. `loras`, on top of the recipe's, are files with the strengths that share the steps of the run. `parallel` is how processes of torchrun share it.
    """

    recipe: str = "demo"
    size: Size | None = None
    frames: int | None = None
    fps: Fraction | None = None
    accept_damage: bool = False
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    guidance_steps: int | None = None
    models: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    vram_limit: float | None = None
    text_cache: bool = True
    fp8_matmul: bool = False
    vae_dtype: str = "fp32"
    loras: tuple[tuple[Path, tuple[float, ...]], ...] = ()
    lora_merge: bool = False
    parallel: str | None = None
    output: Path | None = None
    lossless: bool = False

    @classmethod
    def from_options(cls: type[Request], options: Namespace, **made: Any) -> Request:
        """The request that options of the same names make, with `made` for what is made of several or named otherwise."""
        names = {one.name for one in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in vars(options).items() if name in names}
        values |= {"loras": tuple(options.loras), **made}
        return cls(**values)

    @property
    def target(self) -> Path:
        """Where the result goes."""
        raise NotImplementedError

    @property
    def inputs(self) -> list[tuple[str, Path]]:
        """Every file that was named to be read, with what it is called; those that a mask track names too."""
        named = [
            (_NAMES.get(field.name, field.name), path)
            for field in fields(self)
            if field.name not in _NOT_READ
            for path in _paths_in(getattr(self, field.name))
        ]
        return named + [(name, one) for name, path in named if name == "mask" for one in files_of_mask(path)]

    @property
    def asked_models(self) -> AskedModels:
        """What is asked of the recipe's models."""
        return AskedModels(
            self.models,
            self.device,
            self.dtype,
            tuple(ChosenLora(path, StrengthSchedule(strengths)) for path, strengths in self.loras),
            self.lora_merge,
            MachineOptions(self.vram_limit, self.text_cache, self.fp8_matmul, self.parallel, self.vae_dtype),
        )

    def for_runner(self) -> dict[str, Any]:
        """The arguments of a `LoadedRecipe`, but for its recipe."""
        return self.asked_models.options


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipRequest(RunRequest):
    """A run over a clip that may be long: one longer than `window_frames` is worked on in windows that share `overlap`.

    0 `window_frames` work on the clip whole.
    """

    window_frames: int | None = None
    overlap: int | None = None

    @property
    def windows(self) -> WindowOptions:
        """How a long clip is cut up."""
        return WindowOptions(self.window_frames, self.overlap, self.frames, self.accept_damage)


def _paths_in(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, tuple):
        for one in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _paths_in(one)


def size_for(
    size: Size | None, fit: Method | None, settings: Recipe, clip: Size | None = None
) -> Size | None:
    """What a clip of that size, where it is known, is fitted to: without a size, that of the recipe's buckets whose aspect is nearest, where it has
    any, and with `area` the pixels that it was made for.
    """
    if size is None and fit is not None and settings.buckets is not None and clip is not None:
        return settings.buckets.nearest(*clip)
    return (settings.height, settings.width) if size is None and fit == "area" else size


@dataclass(frozen=True, slots=True)
class EditRequest(ClipRequest):
    """One edit of one clip; the result has the clip's size and length.

    `first_frame` is a picture of frame `at_frame` as it is to become, which the rest follows; `via` names a recipe for pictures that
    makes it first. `grounding_film` is where the clip of what will be changed is written. `caption` says what the clip shows and `change` what kind of change is asked for, where the recipe shares attention.
    `times_in_result` and `half_size_steps` as in `Recipe`; None is the recipe's.
    Units: `when` = (first, last) frame and `at_frame`, counted from 0; others as in `RunRequest`.
    """

    clip: Path
    instruction: str
    mask: Path | None = None
    asked_mask: AskedMask = AskedMask()
    when: tuple[int, int] | None = None
    first_frame: Path | None = None
    via: str | None = None
    at_frame: int = 0
    grounding_film: Path | None = None
    caption: str = ""
    change: str | None = None
    references: tuple[Path, ...] = ()
    fit: Method | None = None
    strength: float | None = None
    window: tuple[float, float] | None = None
    skip_hints: bool = False
    times_in_result: bool | None = None
    half_size_steps: int | None = None
    finishing: Finishing = Finishing()
    rewriting: RewriteOptions = RewriteOptions()

    @property
    def target(self) -> Path:
        """Where the result goes: beside the clip, unless said otherwise."""
        return self.output or named_after(self.clip.absolute(), self.instruction)


@dataclass(frozen=True, slots=True)
class EnhanceRequest(ClipRequest):
    """One clip to be enhanced.

    Units: `steps` counts the last steps of the recipe's schedule; others as in `RunRequest`.
    """

    clip: Path
    caption: str = ""
    fit: Method = "pad"
    recipe: str = field(default="demo-enhance", kw_only=True)

    @property
    def target(self) -> Path:
        """Where the result goes: beside the clip, unless said otherwise."""
        return self.output or self.clip.absolute().with_name(f"{self.clip.stem}_enhanced.mp4")


@dataclass(frozen=True, slots=True)
class TaskRequest(RunRequest):
    """One task with its files.

    Units: `size` and `frames` bound what is worked on; boxes in pixels of the clip; others as in `RunRequest`.
    """

    task: str
    prompt: str
    clip: Path | None = None
    first: Path | None = None
    last: Path | None = None
    mask: Path | None = None
    asked_mask: AskedMask = AskedMask()
    boxes: tuple[Box, ...] = ()
    references: tuple[Path, ...] = ()
    sides: Sides | None = None
    keep: tuple[int, ...] = ()
    keep_random: int | None = None
    control_map: str | None = None
    sampling: Sampling = "first"
    strength: float | None = None
    window: tuple[float, float] | None = None
    skip_hints: bool = False

    @property
    def target(self) -> Path:
        """Where the result goes: beside the first file given, unless said otherwise."""
        if self.output is not None:
            return self.output
        near = next(
            path for path in (self.clip, self.first, self.last, *self.references, Path("task")) if path
        )
        return near.absolute().with_name(f"{near.stem}_{self.task}.mp4")
