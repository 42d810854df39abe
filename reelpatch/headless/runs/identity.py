"""What tells one run from another in plain types, so that windows of one are not taken for the other's."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import reelpatch
from reelpatch.headless.models.chosen_recipe import ChosenRecipe
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.headless.runs.request import RunRequest
from reelpatch.media.mask_track_file import files_of_mask
from reelpatch.windows.file_stamp import stamp, weight_stamp
from reelpatch.windows.plan_windows import WindowPlan

# Where a result goes and how it is written does not decide its pictures, and `identity` knows the LoRAs.
_NO_MATTER = (
    "output",
    "grounding_film",
    "lossless",
    "models",
    "loras",
    "text_cache",
    "vram_limit",
    "parallel",
)


def request_identity(
    request: RunRequest, runner: ChosenRecipe, weights: list[Any] | None = None
) -> dict[str, Any]:
    """Of a run that works on a clip whole: everything that was asked for, files with their stamps.

    `weights` are those of the runner's files as they were when it read them, where they were stamped then.
    """
    asked = {field.name: getattr(request, field.name) for field in fields(request)}
    asked |= {"masks of the track": tuple(files_of_mask(mask))} if (mask := asked.get("mask")) else {}
    return identity(runner, None, weights) | {
        name: _plain(value) for name, value in asked.items() if name not in _NO_MATTER
    }


def stamped_weights(files: RecipeFiles) -> list[Any]:
    """Stamps of the weights of a recipe, but for LoRAs."""
    weights = (
        files.backbone,
        files.low_noise,
        files.module,
        files.vae,
        files.text_encoder,
        files.clip_vision,
        files.glyph_encoder,
    )
    return [weight_stamp(path) for path in weights if path is not None]


def identity(
    runner: ChosenRecipe, plan: WindowPlan | None, weights: list[Any] | None = None
) -> dict[str, Any]:
    """Of the version, the models, the machine's arithmetic and the windows, None where a clip is worked on whole."""
    return {
        "version": reelpatch.__version__,
        "recipe": runner.recipe.as_dict(),
        "weights": stamped_weights(runner.files) if weights is None else weights,
        "LoRAs": [[stamp(lora.path), lora.strengths.values] for lora in runner.loras],
        "LoRA merge": runner.merge_loras,
        "device": str(runner.device),
        "dtype": str(runner.dtype),
        "fp8 products": runner.machine.float8_products,
        "VAE dtype": str(runner.vae_dtype),
        "windows": plan and [[window.first, window.frames, window.overlap] for window in plan.windows],
        "number of frames": plan and plan.clip_frames,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return stamp(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
