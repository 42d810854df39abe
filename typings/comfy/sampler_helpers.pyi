from collections.abc import Sequence
from typing import Any

from comfy.model_patcher import ModelPatcher

def prepare_sampling(
    model: ModelPatcher,
    noise_shape: Sequence[int],
    conds: dict[str, Any],
    model_options: dict[str, Any] | None = ...,
) -> tuple[Any, dict[str, Any], list[Any]]: ...
