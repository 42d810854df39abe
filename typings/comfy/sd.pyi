from collections.abc import Sequence
from enum import Enum
from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy.supported_models_base import ClipTarget
from torch import Tensor

class CLIPType(Enum):
    WAN = ...
    HUNYUAN_VIDEO_15 = ...

class CLIP:
    def __init__(
        self,
        target: ClipTarget,
        *,
        tokenizer_data: dict[str, Any],
        parameters: int,
        state_dict: Sequence[dict[str, Tensor]],
    ) -> None: ...

class VAE:
    def __init__(self, sd: dict[str, Tensor], *, metadata: dict[str, str] | None = ...) -> None: ...
    def throw_exception_if_invalid(self) -> None: ...

def load_clip(ckpt_paths: Sequence[str], embedding_directory: Sequence[str], clip_type: CLIPType) -> CLIP: ...
def load_diffusion_model_state_dict(
    sd: dict[str, Tensor],
    model_options: dict[str, Any] = ...,
    metadata: dict[str, str] | None = ...,
    disable_dynamic: bool = ...,
) -> ModelPatcher | None: ...
