"""The benchmark of smaller cards: its files are what the recipe takes, and where there is no card it says so."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import cards
from benchmarks.full_size_files import write_ditto
from reelpatch.headless.commands.main import DONE, main


def test_files_of_full_size_take_no_room_and_are_those_of_the_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size_gb = write_ditto(tmp_path)
    on_disk = sum(512 * path.stat().st_blocks for path in tmp_path.rglob("*.safetensors"))
    assert size_gb > 32
    assert on_disk < 64 * 2**20
    words = (
        "plan",
        "--recipe",
        "ditto-global",
        "--models",
        str(tmp_path),
        "--frames",
        "5",
        "--ram",
        "128",
        "--json",
    )
    assert main([*words]) == DONE
    found = json.loads(capsys.readouterr().out)
    assert set(found["sizes_from_files"]) == {"backbone", "module", "lora", "vae", "text_encoder"}


def test_a_card_that_is_too_small_stands_among_the_others() -> None:
    ran = {"plan": {"offloaded": {"blocks": 36, "of_blocks": 48}, "peak_gib": 7.9, "peak_stage": "step"}}
    ran |= {"allocated_gib": 6.5, "reserved_gib": 7.0, "taken_gib": 7.4}
    found = {"machine": {"gpu": "x"}, "size": [480, 832], "frames": 73}
    lines = cards.table(found | {"caps": {"8 GiB": ran, "6 GiB": {"plan": {}, "skipped": "no memory"}}})
    assert "| 8 GiB | 36 of 48 | 7.90 GiB (step) | 6.50 GiB | 7.00 GiB | 7.40 GiB |" in lines
    assert "| 6 GiB | not measured: no memory | | | | |" in lines


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_it_takes_a_card(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cards.main([])
    assert "there is no CUDA device here" in capsys.readouterr().err
