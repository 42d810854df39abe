from typing import Any

import torch

class manual_cast: ...  # noqa: N801 -- ComfyUI's name

def mixed_precision_ops(
    quant_config: dict[str, Any], compute_dtype: torch.dtype, full_precision_mm: bool = ...
) -> Any: ...
