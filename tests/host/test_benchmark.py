"""The benchmark of whole edits in ComfyUI runs the same code at a tiny size on the CPU, and its edits agree."""

import json
from pathlib import Path

import pytest

from benchmarks import comfyui_gpu, results
from tests.host import comfy

pytestmark = pytest.mark.host


def test_edits_by_our_nodes_and_by_comfyui_agree_and_are_timed(tmp_path: Path) -> None:
    comfy.python()  # skips where there is none
    comfyui_gpu.main(["--tiny", "--caps", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "comfyui_gpu_tiny.json").read_text(encoding="utf-8"))
    assert found["free"]["difference"] < 1e-4
    assert list(found["free"]["edits"]) == ["core", "ours", "fast"]
    for edit in found["free"]["edits"].values():
        assert sum(edit["stages_s"].values()) == pytest.approx(edit["median_s"], rel=0.5)
    table = (tmp_path / "comfyui_gpu_tiny.md").read_text(encoding="utf-8")
    assert "say nothing of speed" in table


def test_without_comfyui_it_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(SystemExit):
        comfyui_gpu.main(["--tiny", "--out", str(tmp_path)])
    assert f"no ComfyUI at {tmp_path / 'nowhere'}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_cap_that_is_too_small_is_told_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"median_s": 2.0, "ratio": 1.0, "ratio_p10": 1.0, "ratio_p90": 1.0, "peak_allocated_gib": None}
    one |= {"stages_s": {"encode": 0.5, "sample": 1.0, "decode": 0.5}, "taken_gib": 3.0}
    run = {
        "difference": 0.0,
        "shape": (9, 32, 48),
        "torch": "2",
        "gpu": None,
        "dynamic_vram": False,
        "edits": {"core": one},
    }

    def told(_size: tuple[str, str], _folder: Path, cap: float, _options: object) -> object:
        if cap:
            raise results.Disagree("Traceback ...\ntorch.OutOfMemoryError: CUDA out of memory.")
        return run

    monkeypatch.setattr(comfyui_gpu, "_told", told)
    found = comfyui_gpu.measure(Path(), (6.0,), 9, is_tiny=True, is_on_cpu=True)
    lines = comfyui_gpu.table(found, "x")
    assert "| 6 GiB | not measured: torch.OutOfMemoryError: CUDA out of memory. | | | | | | |" in lines
    assert any("| none | ComfyUI's own nodes | 2.00 | 0.50, 1.00, 0.50 |" in line for line in lines)
