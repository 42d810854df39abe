"""HunyuanVideo-1.5's models on diffusers' classes."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import HunyuanVideo15Transformer3DModel
from diffusers.models.attention_dispatch import AttentionBackendName
from torch import nn

from reelpatch.families.kinds import FileKind
from reelpatch.headless.hosts.hunyuan15_host import predict_velocity
from reelpatch.headless.models.attention import KERNELS, choose_attention
from reelpatch.headless.models.hunyuan15.siglip import Siglip, load_siglip
from reelpatch.headless.models.hunyuan15.transformer import load_backbone
from reelpatch.headless.models.hunyuan15.vae import HunyuanVae, load_vae


class HunyuanModels:
    """As `FamilyModels` and `LooksAtFrames`."""

    predict = staticmethod(predict_velocity)

    def load_backbone(
        self, path: Path, *, dtype: torch.dtype, device: torch.device, kinds: Collection[FileKind]
    ) -> HunyuanVideo15Transformer3DModel:
        return load_backbone(path, dtype=dtype, device=device, kinds=kinds)

    def choose_attention(self, backbone: nn.Module, device: torch.device, dtype: torch.dtype) -> str:
        attention = choose_attention(device, dtype)
        if attention is None or attention.kernel is KERNELS[-1]:
            return ""
        for block in self.blocks_of(backbone):
            cast(Any, block).attn.processor.backend = AttentionBackendName(attention.kernel.name)
        return f"{attention.describe()}."

    def blocks_of(self, backbone: nn.Module) -> Sequence[nn.Module]:
        return list(cast(HunyuanVideo15Transformer3DModel, backbone).transformer_blocks)

    def load_vae(self, path: Path, *, dtype: torch.dtype, device: torch.device) -> HunyuanVae:
        return load_vae(path, dtype=dtype, device=device)

    def load_picture_encoder(self, path: Path) -> Siglip:
        return load_siglip(path)
