"""`make test-cpus` does run other kernels, and says so when something fails there."""

from pathlib import Path

import pytest

from tests import cpus

TEXT = """
import torch

def test_the_kernels():
    assert torch.backends.cpu.get_cpu_capability() in {"DEFAULT", "NO AVX"}  # as PyTorch 2.6 calls it
    assert torch.get_num_threads() == 1

def test_what_fails():
    assert 1 + 1 == 3, "two was found"
"""


def test_a_setting_reaches_the_tests_and_failures_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "test_kernels.py"
    path.write_text(TEXT)
    monkeypatch.setattr(cpus, "THREADS", (1,))
    name = "ATEN_CPU_CAPABILITY=default"
    monkeypatch.setattr(cpus, "SETTINGS", {name: cpus.SETTINGS[name]})
    assert cpus.main([str(path)]) == 1
    heading, row, failure = capsys.readouterr().out.splitlines()
    assert heading.split() == ["setting", "threads", "passed", "failed", "skipped", "seconds"]
    assert row.split()[:5] == [name, "1", "1", "1", "0"]
    assert "test_what_fails: AssertionError: two was found" in failure
