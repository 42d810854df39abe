"""What `edit`, `task` and `enhance` are asked for alike, and what they tell of what they did."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from reelpatch.clips.frames import Method, Size
from reelpatch.headless.loaded_recipe import MachineOptions, RecipeRunner
from reelpatch.headless.models.lora import ChosenLora, LoraReport
from reelpatch.recipes import Recipe
from reelpatch.sampling.strengths import StrengthSchedule
from reelpatch.windows.window_run import LongClip, WindowOptions

_NOT_READ = ("output", "models")
_NAMES = {"references": "reference", "loras": "LoRA", "first": "first clip", "last": "last clip"}


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """How a recipe is run, and where the result goes. What is None is the recipe's, or left to the machine.

    Units: size (height, width) in pixels is what is worked on; `frames` works on that many from the first; `fps` is that of
    a folder of images. With `accept_damage`, frames of the clip that decode with errors are worked on as they are. `loras`, on top of the recipe's, are files with the strengths that share the steps of the run.
    """

    recipe: str = "demo"
    size: Size | None = None
    frames: int | None = None
    fps: Fraction | None = None
    accept_damage: bool = False
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    models: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    vram_limit: float | None = None
    text_cache: bool = True
    fp8_matmul: bool = False
    loras: tuple[tuple[Path, tuple[float, ...]], ...] = ()
    lora_merge: bool = False
    output: Path | None = None
    lossless: bool = False

    @property
    def target(self) -> Path:
        """Where the result goes."""
        raise NotImplementedError

    @property
    def inputs(self) -> list[tuple[str, Path]]:
        """Every file that was named to be read, with what it is called."""
        return [
            (_NAMES.get(field.name, field.name), path)
            for field in fields(self)
            if field.name not in _NOT_READ
            for path in _paths_in(getattr(self, field.name))
        ]

    def for_runner(self) -> dict[str, Any]:
        """The arguments of a `RecipeRunner`, but for its recipe."""
        return {
            "models": self.models,
            "device": self.device,
            "dtype": self.dtype,
            "loras": [ChosenLora(path, StrengthSchedule(strengths)) for path, strengths in self.loras],
            "merge_loras": self.lora_merge,
            "machine": MachineOptions(self.vram_limit, self.text_cache, self.fp8_matmul),
        }


@dataclass(frozen=True, kw_only=True)
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


def size_for(size: Size | None, fit: Method | None, settings: Recipe) -> Size | None:
    """What a clip is fitted to: `area` without a size takes the pixels that the recipe was made for."""
    return (settings.height, settings.width) if size is None and fit == "area" else size


class Named(Protocol):
    """A request that knows where its result goes."""

    @property
    def target(self) -> Path: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class RunResult:
    """What was done, for people and for `--json`."""

    output: Path
    frames: int
    size: Size
    fps: Fraction
    recipe: str
    steps: int
    seed: int
    device: str
    dtype: str
    seconds: float
    loras: tuple[LoraReport, ...]
    windows: int = 1

    @classmethod
    def of(
        cls,
        request: Named,
        runner: RecipeRunner,
        shape: tuple[int, ...],
        fps: Fraction,
        began: float,
        windows: int = 1,
    ) -> "RunResult":
        """Of pictures of `shape` = (frames, height, width, ...), made since `began` by the monotonic clock."""
        return cls(
            output=request.target,
            frames=shape[0],
            size=(shape[1], shape[2]),
            fps=fps,
            recipe=runner.recipe.name,
            steps=runner.recipe.num_run_steps,
            seed=request.seed,
            device=str(runner.device),
            dtype=str(runner.dtype).removeprefix("torch."),
            seconds=time.monotonic() - began,
            loras=runner.lora_reports,
            windows=windows,
        )

    @classmethod
    def of_windows(cls, request: Named, runner: RecipeRunner, clip: LongClip, began: float) -> "RunResult":
        """Of a clip that was worked on in windows."""
        shape = (clip.plan.clip_frames, *clip.header.size)
        return cls.of(request, runner, shape, clip.fps, began, len(clip.plan.windows))

    def as_dict(self) -> dict[str, Any]:
        """In plain types; the size as (width, height), the rate as a number and exactly."""
        height, width = self.size
        return {
            **{
                name: getattr(self, name)
                for name in ("frames", "recipe", "steps", "seed", "device", "dtype", "windows")
            },
            "output": str(self.output),
            "width": width,
            "height": height,
            "fps": float(self.fps),
            "fps_exact": str(self.fps),
            "seconds": round(self.seconds, 3),
            "loras": [report.as_dict() for report in self.loras],
        }
