from collections.abc import Sequence
from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy.supported_models_base import ClipTarget
from torch import Tensor

class CLIP:
    def __init__(
        self,
        target: ClipTarget,
        *,
        tokenizer_data: dict[str, Any],
        parameters: int,
        state_dict: Sequence[dict[str, Tensor]],
    ) -> None: ...

def load_diffusion_model_state_dict(
    sd: dict[str, Tensor],
    model_options: dict[str, Any] = ...,
    metadata: dict[str, str] | None = ...,
    disable_dynamic: bool = ...,
) -> ModelPatcher | None: ...
