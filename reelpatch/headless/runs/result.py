"""What a run did, for people and for `--json`."""

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from reelpatch.clips.frames import Size
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models.lora import LoraReport
from reelpatch.headless.models.start_times import StartTimes
from reelpatch.headless.rewriting.rewriter import Rewritten
from reelpatch.windows.window_run import CutClip


class Named(Protocol):
    """A request that knows where its result goes."""

    @property
    def target(self) -> Path: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class RunResult:
    """What was done, for people and for `--json`; `picture` is frame 0 where it was edited as a picture first.

    `grounding_film` is where the clip of what will be changed was written, None where this run wrote none.
    """

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
    start: StartTimes | None = None
    rewriting: Rewritten | None = None
    picture: Path | None = None
    grounding_film: Path | None = None

    @classmethod
    def of(
        cls,
        request: Named,
        runner: LoadedRecipe,
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
            start=runner.start,
        )

    @classmethod
    def of_windows(cls, request: Named, runner: LoadedRecipe, clip: CutClip, began: float) -> "RunResult":
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
            **({} if self.start is None else {"start": self.start.as_dict()}),
            **({} if self.rewriting is None else {"rewriting": self.rewriting.as_dict()}),
            **({} if self.picture is None else {"picture": str(self.picture)}),
            **({} if self.grounding_film is None else {"grounding_film": str(self.grounding_film)}),
        }
