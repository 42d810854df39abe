"""What tells one run from another in plain types, so that windows of one are not taken for the other's."""

from typing import Any

import reelpatch
from reelpatch.clips.windows import WindowPlan
from reelpatch.headless.recipe_runner import RecipeRunner
from reelpatch.media.stamps import stamp, stamps


def identity(runner: RecipeRunner, plan: WindowPlan) -> dict[str, Any]:
    """Of the version, the models, the machine's arithmetic and the windows."""
    files = runner.files
    weights = (files.backbone, files.module, files.vae, files.text_encoder)
    return {
        "version": reelpatch.__version__,
        "recipe": runner.recipe.as_dict(),
        "weights": stamps(path for path in weights if path is not None),
        "LoRAs": [[stamp(lora.path), lora.strengths.values] for lora in runner.loras],
        "LoRA merge": runner.merge_loras,
        "device": str(runner.device),
        "dtype": str(runner.dtype),
        "fp8 products": runner.machine.float8_products,
        "windows": [[window.first, window.frames, window.overlap] for window in plan.windows],
        "number of frames": plan.clip_frames,
    }
