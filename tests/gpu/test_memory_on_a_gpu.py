"""A limit of the card's memory is kept, or refused in a sentence before any work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reelpatch.headless.commands.main import BAD_INPUT, main

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "workflows" / "reelpatch_demo_clip.mp4"


def test_an_edit_under_a_limit_takes_no_more(tmp_path: Path) -> None:
    """All that is gone from the card, the driver's context too; other work on it counts, so it is taken off."""
    words = (CLIP, "make the red circle blue", "--device", "cuda", "--vram-limit", "2", "--json")
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.card_edit", *map(str, words), "--output", str(tmp_path / "x.mp4")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(said.stdout)
    assert found["answer"]["device"].startswith("cuda")
    assert found["reserved_gib"] <= 2
    assert (tmp_path / "x.mp4").stat().st_size > 0


def test_a_limit_that_nothing_fits_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.mp4"
    words = ("edit", CLIP, "make it sepia", "--device", "cuda", "--vram-limit", "0.3", "--output", out)
    assert main([*map(str, words)]) == BAD_INPUT
    assert "raise --vram-limit" in capsys.readouterr().err
    assert not out.exists()
