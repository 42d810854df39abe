"""Tiny random models of the true architecture, and files of their weights under native names."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import WanVACETransformer3DModel
from safetensors.torch import save_file

from reelpatch.families.wan.names import diffusers_to_native

State = dict[str, torch.Tensor]
SaveState = Callable[..., Path]


@pytest.fixture(scope="session")
def vace_state() -> State:
    """Native weights of a merged VACE model of width 128, 3 blocks and 2 VACE blocks."""
    torch.manual_seed(0)
    model = WanVACETransformer3DModel(
        num_attention_heads=1,
        num_layers=3,
        ffn_dim=96,
        text_dim=24,
        freq_dim=32,
        vace_layers=[0, 2],
        vace_in_channels=96,
    )
    # Random where diffusers starts from zeros or ones, so that no key can be dropped unnoticed.
    return {
        diffusers_to_native(key): tensor + 0.02 * torch.randn_like(tensor)
        for key, tensor in model.state_dict().items()
    }


@pytest.fixture
def save(tmp_path: Path) -> SaveState:
    def save_state(state: State, name: str = "x.safetensors", metadata: dict[str, str] | None = None) -> Path:
        path = tmp_path / name
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, path, metadata)
        return path

    return save_state


@pytest.fixture(scope="session")
def backbone_state(vace_state: State) -> State:
    return {key: tensor for key, tensor in vace_state.items() if not key.startswith("vace_")}


@pytest.fixture(scope="session")
def module_state(vace_state: State) -> State:
    return {key: tensor for key, tensor in vace_state.items() if key.startswith("vace_")}
