"""A pickle becomes safetensors that load, whole or not at all; what is in it never runs."""

import json
import mmap
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.edits.vace.work import VaceWork
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from reelpatch.weights import convert as converting
from reelpatch.weights.header import Kind, identify
from tests.unit.headless.commands.full_disk import no_larger_files_than

State = dict[str, torch.Tensor]
Captured = pytest.CaptureFixture[str]
LINEAR = "blocks.1.self_attn.q.weight"
LAYERS = ("--vace-layers", "0,2")


def wrapped(state: State) -> dict[str, State]:
    """As VDOT's training code saves it."""
    return {"generator": {f"model._fsdp_wrapped_module.{key}": tensor for key, tensor in state.items()}}


@pytest.fixture
def source(vace_state: State, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.pt"
    torch.save(wrapped(vace_state), path)
    return path


def run(capsys: Captured, source: Path, out: Path, *options: str) -> dict:
    assert main(["convert", str(source), "--out", str(out), *LAYERS, *options, "--json"]) == DONE
    return json.loads(capsys.readouterr().out)


def refused(capsys: Captured, source: Path, *options: str) -> str:
    out = source.parent / "new" / "out"
    before = sorted(source.parent.iterdir())
    code = main(["convert", str(source), "--out", str(out), *options, "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert code == BAD_INPUT
    assert "\n" not in error
    assert error.endswith(".")
    assert sorted(source.parent.iterdir()) == before  # not even the folder was made
    return error


def saved(state: object, tmp_path: Path) -> Path:
    path = tmp_path / "bad.pt"
    torch.save(state, path)
    return path


def test_bf16_holds_every_weight_in_two_files_that_load(
    capsys: Captured, source: Path, vace_state: State, tmp_path: Path
) -> None:
    answer = run(capsys, source, tmp_path / "models" / "diffusion_models")
    base, module = map(Path, answer["files"])
    assert [identify(path).kind for path in (base, module)] == [Kind.BACKBONE, Kind.EDIT_MODULE]
    found = load_file(base) | load_file(module)
    assert found.keys() == vace_state.keys()
    assert all(torch.equal(found[name], tensor.to(torch.bfloat16)) for name, tensor in vace_state.items())
    assert not load_file(base).keys() & load_file(module).keys()
    load_backbone(base)
    assert load_module(module, VaceWork()).config.layers == (0, 2)
    assert answer["bytes"] == base.stat().st_size + module.stat().st_size
    assert sorted(path.name for path in base.parent.iterdir()) == [base.name, module.name]


def test_fp8_rounds_linear_weights_of_blocks_and_nothing_else(
    capsys: Captured, source: Path, vace_state: State, tmp_path: Path
) -> None:
    (path,) = run(capsys, source, tmp_path, "--dtype", "fp8", "--merged")["files"]
    found = load_file(path)
    assert identify(Path(path)).kind is Kind.VACE
    for name, tensor in vace_state.items():
        is_linear = ".weight" in name and "blocks." in name and "norm" not in name
        dtype = torch.float8_e4m3fn if is_linear else torch.bfloat16
        assert torch.equal(found[name].float(), tensor.to(dtype).float()), name
        assert found[name].dtype == dtype, name


def test_scaled_fp8_keeps_what_plain_fp8_would_lose(
    capsys: Captured, vace_state: State, tmp_path: Path
) -> None:
    state = vace_state | {LINEAR: vace_state[LINEAR] * 1e-3}
    (path,) = run(capsys, saved(state, tmp_path), tmp_path, "--dtype", "fp8-scaled", "--merged")["files"]
    found = load_file(path)
    weight, scale = found[LINEAR], found[LINEAR.replace(".weight", ".scale_weight")]
    assert scale.shape == ()
    assert float(weight.float().abs().max()) == 448
    widened, largest = weight.float() * scale, state[LINEAR].abs().max()
    # 3 bits of mantissa, and steps of 2^-9 of the scale near zero.
    assert ((widened - state[LINEAR]).abs() <= state[LINEAR].abs() / 16 + largest / 448 / 1024 * 1.001).all()
    assert found["scaled_fp8"].dtype == torch.float8_e4m3fn
    assert identify(Path(path)).is_scaled
    assert torch.equal(found["patch_embedding.weight"], state["patch_embedding.weight"].to(torch.bfloat16))


def test_the_layers_of_an_unpublished_size_are_in_the_module(
    capsys: Captured, source: Path, tmp_path: Path
) -> None:
    _, module = run(capsys, source, tmp_path)["files"]
    with safe_open(module, "pt") as file:
        assert file.metadata() == {"format": "pt", LAYERS_KEY: "0,2"}
    assert "2 VACE blocks, but 3" in refused(capsys, source, "--vace-layers", "0,1,2")
    assert "neither VACE-14B" in refused(capsys, source)


def test_a_file_is_mapped_in_pieces(
    capsys: Captured, source: Path, vace_state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converting, "_MAPPED_BYTES", 100_000)
    (path,) = run(capsys, source, tmp_path, "--merged")["files"]
    found = load_file(path)
    assert all(torch.equal(found[name], tensor.to(torch.bfloat16)) for name, tensor in vace_state.items())


def test_the_pickle_itself_stays_as_it_is(capsys: Captured, source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED):  # as for files larger than memory
        run(capsys, source, tmp_path, "--dtype", "fp8-scaled")
    assert source.read_bytes() == before


class Hostile:
    """Makes a file as soon as it is unpickled by a loader that runs what it finds."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("save", [torch.save, lambda obj, path: path.write_bytes(pickle.dumps(obj))])
def test_what_a_hostile_pickle_holds_is_not_run(
    save, capsys: Captured, vace_state: State, tmp_path: Path
) -> None:
    proof, path = tmp_path / "proof", tmp_path / "bad.pt"
    save({**vace_state, "x": Hostile(proof)}, path)
    refused(capsys, path, *LAYERS)
    assert not proof.exists()


def test_keys_and_shapes_have_to_be_a_model(capsys: Captured, vace_state: State, tmp_path: Path) -> None:
    def told(state: object) -> str:
        return refused(capsys, saved(state, tmp_path), *LAYERS)

    assert f"lacks {LINEAR}" in told({key: value for key, value in vace_state.items() if key != LINEAR})
    assert "unknown keys extra.weight" in told(vace_state | {"extra.weight": torch.zeros(2)})
    assert f"other shapes than expected under {LINEAR}" in told(vace_state | {LINEAR: torch.zeros(3, 3)})
    assert f"'{LINEAR}' twice" in told(vace_state | {f"model.{LINEAR}": vace_state[LINEAR]})
    assert "something else than a tensor" in told(vace_state | {"steps": 7})
    assert "no weights by name" in told([torch.zeros(2)])
    assert "NaN or infinity" in told(vace_state | {LINEAR: vace_state[LINEAR] * float("nan")})


def test_a_weight_too_large_for_fp8_is_no_silent_loss(
    capsys: Captured, vace_state: State, tmp_path: Path
) -> None:
    path = saved(vace_state | {LINEAR: vace_state[LINEAR] + 500}, tmp_path)
    assert "fp8-scaled" in refused(capsys, path, *LAYERS, "--dtype", "fp8")


def test_files_that_are_no_pickle_of_today(
    capsys: Captured, source: Path, vace_state: State, tmp_path: Path
) -> None:
    assert "there is no file" in refused(capsys, tmp_path / "none.pt")
    older = tmp_path / "older.pt"
    torch.save(vace_state, older, _use_new_zipfile_serialization=False)
    assert "once more with a current PyTorch" in refused(capsys, older, *LAYERS)
    older.write_bytes(source.read_bytes()[:-1000])
    assert "damaged" in refused(capsys, older, *LAYERS)


def test_a_full_disk_leaves_nothing(capsys: Captured, source: Path) -> None:
    with no_larger_files_than(50_000):
        assert "cannot be written" in refused(capsys, source, *LAYERS)


def test_a_conversion_that_is_stopped_leaves_nothing_and_the_next_one_starts_over(
    source: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "models"
    plan = converting.plan_conversion(source, "bf16", module_metadata={LAYERS_KEY: "0,2"})

    def stop(_stage: str, _done: int, _total: int) -> None:
        if out.exists():
            assert [path.suffix for path in out.iterdir()] == [".part", ".part"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        converting.convert(plan, out, stop)
    assert not out.exists()
    out.mkdir()
    left = out / f".{next(iter(plan.files))}.part"  # by one that was killed
    left.write_bytes(b"half")
    answer = run(capsys, source, out)
    assert sorted(path.name for path in out.iterdir()) == sorted(Path(one).name for one in answer["files"])
