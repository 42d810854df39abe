"""The benchmark for GPUs runs the same code at a tiny size on a CPU, and refuses what it must."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import gpu, results
from benchmarks.models import TINY, make_contenders, make_inputs
from benchmarks.timing import Times, interleaved, ratio

CPU = torch.device("cpu")


def test_every_stage_runs_at_a_tiny_size(tmp_path: Path) -> None:
    gpu.main(["--tiny", "--device", "cpu", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "gpu_tiny.json").read_text(encoding="utf-8"))
    assert {
        "machine",
        "matmul_tflop_per_s",
        "forwards",
        "edits",
        "vae",
        "caps",
        "attention",
        "seams",
    } <= found.keys()
    assert all(one["difference"] < 1e-5 for one in found["forwards"].values())
    assert [one["forwards"] for one in found["edits"].values()] == [8, 5]
    assert list(found["caps"]) == ["none", "24 GiB", "16 GiB", "12 GiB", "8 GiB", "6 GiB"]
    assert all(0 < one["streamed"] < one["blocks"] for one in list(found["caps"].values())[1:])
    table = (tmp_path / "gpu_tiny.md").read_text(encoding="utf-8")
    assert "say nothing of speed" in table
    assert "median_s" in found["attention"]["native"]
    for kernel in ("sage", "_native_cudnn"):  # of which a CPU has neither
        assert f"| {kernel} | not measured: there is no CUDA card |" in table
    ways = ("fp32", "bf16", "fp32, channels last")
    assert list(found["vae"]) == [f"{stage}, {way}" for way in ways for stage in ("encode", "decode")]
    assert found["seams"]["against_whole"] > 0
    assert "| 6 GiB |" in table
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".md"]


def test_one_section_alone_is_measured_and_written(tmp_path: Path) -> None:
    gpu.main(["--tiny", "--device", "cpu", "--only", "products", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "gpu_tiny.json").read_text(encoding="utf-8"))
    assert found.keys() == {"machine", "matmul_tflop_per_s", "products"}
    table = (tmp_path / "gpu_tiny.md").read_text(encoding="utf-8")
    assert "multiplied in fp8" in table
    assert "| forward |" not in table


def test_contenders_that_disagree_are_not_timed() -> None:
    contenders = make_contenders(TINY, device=CPU, dtype=torch.float32)
    given = make_inputs(2, 4, 6, device=CPU, dtype=torch.float32)
    contenders.module.block(1).after_proj.bias.add_(0.01)
    assert contenders.merged is not None
    # The tensors are the same ones, so a change of either side has to be one of computing.
    results.check_agree(contenders.ours(given), contenders.theirs(given), at_most=1e-5, what="shared")
    contenders.merged.vace_blocks[1].proj_out.bias.data = torch.ones(TINY.dim)
    with pytest.raises(results.Disagree, match=r"17 frames: outputs differ by .* no times are reported"):
        results.check_agree(contenders.ours(given), contenders.theirs(given), at_most=1e-5, what="17 frames")


def test_a_nan_is_no_agreement() -> None:
    with pytest.raises(results.Disagree):
        results.check_agree(torch.tensor([torch.nan]), torch.ones(1), at_most=1e-5, what="a test")


def test_a_rate_above_a_matmul_is_refused() -> None:
    with pytest.raises(results.Disagree, match="above"):
        gpu._rate(2 * 10**12, Times((0.001,)), 1e12)


def test_full_size_needs_a_card(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cpu"])
    assert "use --tiny" in capsys.readouterr().err


def test_contenders_take_turns_and_are_compared_turn_by_turn() -> None:
    order: list[str] = []
    times = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, turns=2, warm_up=0)
    assert order == ["a", "b", "b", "a"]
    assert len(times["a"].seconds) == 2
    compared = ratio(Times((1.0, 4.0, 3.0)), Times((2.0, 4.0, 2.0)))
    assert compared["ratio"] == 1.0
    assert compared["ratio_p10"] < compared["ratio"] < compared["ratio_p90"]
