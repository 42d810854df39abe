"""Pickled weights load like safetensors ones, under every wrapping; what carries code is refused, and never run."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reelpatch.edits.vace.work import VaceWork
from reelpatch.errors import BadInput
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from reelpatch.weights.header import Kind
from reelpatch.weights.weight_files import expect_weights

State = dict[str, Tensor]
SaveState = Callable[..., Path]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"generator": {f"model.{key}": tensor for key, tensor in state.items()}},
        lambda state: {"generator": {f"model._fsdp_wrapped_module.{key}": t for key, t in state.items()}},
        lambda state: {"state_dict": dict(state), "epoch": 3},
    ],
)
def test_a_merged_pickle_gives_backbone_and_module(
    vace_state: State, save: SaveState, tmp_path: Path, wrapped: Callable[[State], object]
) -> None:
    path = tmp_path / "vdot_14b.pt"
    torch.save(wrapped(vace_state), path)
    assert expect_weights(path, Kind.VACE).kind is Kind.VACE
    plain = load_backbone(save(vace_state), dtype=torch.float32).state_dict()
    loaded = load_backbone(path, dtype=torch.float32).state_dict()
    assert loaded.keys() == plain.keys()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in plain.items())


def test_a_module_in_half_precision(module_state: State, tmp_path: Path) -> None:
    path = tmp_path / "module.pth"
    torch.save({key: tensor.bfloat16() for key, tensor in module_state.items()}, path)
    with pytest.raises(BadInput, match="say which main blocks"):  # a pickle has no metadata to say so
        load_module(path, VaceWork(), dtype=torch.bfloat16)


class _Harmful:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


def test_code_is_refused_and_not_run(vace_state: State, tmp_path: Path) -> None:
    path, proof = tmp_path / "x.pth", tmp_path / "ran"
    torch.save(vace_state | {"extra": _Harmful(f"touch {proof}")}, path)
    with pytest.raises(BadInput, match="code or objects besides weights, none of which was run") as error:
        load_backbone(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert not proof.exists()


@pytest.mark.parametrize("content", [[1, 2], {"lr": 0.1}, {}])
def test_a_pickle_without_weights(tmp_path: Path, content: object) -> None:
    path = tmp_path / "x.pt"
    torch.save(content, path)
    with pytest.raises(BadInput, match="weights"):
        expect_weights(path, Kind.VACE)


def test_a_damaged_archive_and_a_foreign_one(vace_state: State, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save(vace_state, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BadInput):
        expect_weights(path, Kind.VACE)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(BadInput, match="is no torch file"):
        expect_weights(path, Kind.VACE)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(BadInput, match="pickle"):
        expect_weights(path, Kind.VACE)


def test_the_wrong_kind_is_told(module_state: State, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save(module_state, path)
    with pytest.raises(BadInput, match="is a VACE edit module"):
        load_backbone(path)
