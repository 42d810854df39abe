"""A backbone and an edit module of full width on tensors that hold no numbers, weights and LoRAs held as the loaders do."""

from typing import Any

import torch
from diffusers import WanTransformer3DModel
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from reelpatch.edits.vace.module import VaceConfig, VaceModule
from reelpatch.headless.models.stored_layers import StoredLinear, StoredOperations, hold_as_stored
from reelpatch.plan.models import Models

RANK = 32
_IN_FP32 = ("time_embedder", "scale_shift_table", "norm2", "modulation", "norm3.")
_DTYPES = {1: torch.float8_e4m3fn, 2: torch.bfloat16, 4: torch.float32}


def fake_transformer(models: Models) -> tuple[Any, Any]:
    """Two main blocks and one of the module; the backbone's `fake_mode` is the mode to run them in."""
    sizes = models.backbone
    heads = sizes.dim // 128
    with torch.device("meta"):
        backbone: Any = WanTransformer3DModel(
            num_attention_heads=heads, attention_head_dim=128, ffn_dim=sizes.ffn_dim, num_layers=2
        )
        config = VaceConfig(sizes.dim, sizes.ffn_dim, heads, (0,))
        module: Any = VaceModule(config, operations=StoredOperations)
    for name in _layers(backbone):
        hold_as_stored(backbone, name, _DTYPES[models.compute_bytes])
    backbone.fake_mode = FakeTensorMode()
    for model, held in ((backbone, models.backbone_bytes), (module, models.module_bytes)):
        if models.has_loras:
            lora = LoraConfig(r=RANK, target_modules=_layers(model))
            inject_adapter_in_model(lora, model, "lora", low_cpu_mem_usage=True)
        with backbone.fake_mode:
            _hold(model, _DTYPES[held], _DTYPES[models.compute_bytes])
    return backbone, module


def _layers(model: nn.Module) -> list[str]:
    return [
        name for name, layer in model.named_modules() if "blocks." in name and isinstance(layer, nn.Linear)
    ]


def _hold(model: nn.Module, matrices: torch.dtype, dtype: torch.dtype) -> None:
    for path, layer in list(model.named_modules()):
        for name, old in list(layer.named_parameters(recurse=False)):
            is_wide = any(part in f"{path}.{name}" for part in _IN_FP32)
            is_matrix = isinstance(layer, StoredLinear) and name == "weight"
            held = torch.float32 if is_wide else matrices if is_matrix else dtype
            setattr(layer, name, nn.Parameter(torch.empty(old.shape, dtype=held), requires_grad=False))
        for name, buffer in list(layer.named_buffers(recurse=False)):
            setattr(layer, name, torch.empty(buffer.shape, dtype=buffer.dtype))
