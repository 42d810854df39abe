"""Wan's models on diffusers' classes."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import cast

import torch
from diffusers import WanTransformer3DModel
from torch import nn

from reelpatch.families.kinds import FileKind
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.headless.models.attention import KERNELS, choose_attention
from reelpatch.headless.models.wan_transformer import load_backbone
from reelpatch.headless.models.wan_vae import Vae, load_vae, load_wide_vae


class WanModels:
    """As `FamilyModels`."""

    predict = staticmethod(predict_velocity)

    def load_backbone(
        self, path: Path, *, dtype: torch.dtype, device: torch.device, kinds: Collection[FileKind]
    ) -> WanTransformer3DModel:
        return load_backbone(path, dtype=dtype, device=device, kinds=kinds)

    def choose_attention(self, backbone: nn.Module, device: torch.device, dtype: torch.dtype) -> str:
        attention = choose_attention(device, dtype)
        if attention is None or attention.kernel is KERNELS[-1]:
            return ""
        # The edit module's blocks take the backbone's.
        cast(WanTransformer3DModel, backbone).set_attention_backend(attention.kernel.name)
        return f"{attention.describe()}."

    def blocks_of(self, backbone: nn.Module) -> Sequence[nn.Module]:
        return list(cast(WanTransformer3DModel, backbone).blocks)

    def load_vae(self, path: Path, *, dtype: torch.dtype, device: torch.device) -> Vae:
        return load_vae(path, dtype=dtype, device=device)


class WideWanModels(WanModels):
    """As `FamilyModels`, for Wan2.2 TI2V-5B and the VAE of 48 channels that goes with it."""

    def load_vae(self, path: Path, *, dtype: torch.dtype, device: torch.device) -> Vae:
        return load_wide_vae(path, dtype=dtype, device=device)
