"""`reelpatch inspect` says what files are, and shows the readable ones when others are not."""

import json
from pathlib import Path

import pytest

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from tests.unit.weights.fixtures import models
from tests.unit.weights.fixtures.files import kijai, plain, scaled, write
from tests.unit.weights.fixtures.published import PUBLISHED

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def module(tmp_path: Path) -> Path:
    header = scaled(kijai(models.vace_module_14b(), "F8_E4M3"))
    return write(tmp_path / "Wan2_1-VACE-module-14B_fp8_e4m3fn_scaled_KJ.safetensors", header)


@pytest.fixture
def misnamed(tmp_path: Path) -> Path:
    """A VAE under the name of a backbone, without one tensor."""
    shapes = models.vae_2_1()
    del shapes["decoder.head.2.bias"]
    return write(tmp_path / "wan2.1_t2v_14B_bf16.safetensors", plain(shapes, "BF16"))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.safetensors"
    path.write_bytes(b"<!DOCTYPE html>")
    return path


def test_a_file_is_told_in_a_block(module: Path, capsys: Capture) -> None:
    assert main(["inspect", str(module)]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(module)
    told = {line[2:14].strip(): line[14:] for line in lines[1:]}
    assert told == {
        "what": "a VACE edit module (14B, 8 blocks)",
        "holds": "3.05 billion numbers in 326 tensors, 3.05 GB",
        "dtype": "fp8_e4m3fn with some bf16, with scales in the older style (.scale_weight)",
        "names": "native",
        "belongs in": "models/diffusion_models",
        "works with": "any Wan text-to-video backbone of 14B; alone it makes no video",
        "odd": "nothing",
    }


def test_what_is_odd_is_said(misnamed: Path, capsys: Capture) -> None:
    assert main(["inspect", "--json", str(misnamed)]) == DONE
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["kind"] == "vae21"
    assert file["folder"] == "vae"
    assert file["odd"] == [
        "its name is that of a Wan text-to-video backbone, but it is a Wan2.1 VAE",
        "it lacks decoder.head.2.bias, so it can't be used as it is",
    ]


def test_an_unreadable_file_hides_no_other(page: Path, module: Path, tmp_path: Path, capsys: Capture) -> None:
    missing = tmp_path / "none.safetensors"
    assert main(["inspect", str(page), str(module), str(missing)]) == BAD_INPUT
    printed = capsys.readouterr()
    assert "a VACE edit module" in printed.out
    assert printed.out.count("  unreadable  ") == 2
    assert printed.err.count("\n") == 1
    assert "is a web page" in printed.err
    assert "1 more can't be read" in printed.err
    assert main(["inspect", "--json", str(page), str(module)]) == BAD_INPUT
    answer = json.loads(capsys.readouterr().out)
    assert [("error" in file, file["path"]) for file in answer["files"]] == [
        (True, str(page)),
        (False, str(module)),
    ]
    assert answer["error"] == answer["files"][0]["error"]


def test_every_kind_can_be_shown(tmp_path: Path, capsys: Capture) -> None:
    kinds = {one.kind: one for one in PUBLISHED}
    paths = [
        write(tmp_path / f"{number}.safetensors", one.header()) for number, one in enumerate(kinds.values())
    ]
    assert main(["inspect", *map(str, paths)]) == DONE
    blocks = capsys.readouterr().out.split("\n\n")
    assert len(blocks) == len(kinds)
    for block, kind in zip(blocks, kinds, strict=True):
        assert f"  what        {kind.words}" in block
        assert "works with" in block


def test_help_says_what_it_does(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["inspect", "--help"])
    assert stop.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    for part in ("what it is", "what is odd about it", "No weights are read", "Exit code 2"):
        assert part in printed


def test_nothing_to_inspect_is_a_mistake(capsys: Capture) -> None:
    assert main(["inspect"]) == BAD_INPUT
    assert "FILE" in capsys.readouterr().err
