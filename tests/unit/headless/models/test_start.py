"""Weights are read ahead in the order of use, a second edit loads nothing, and a run says where its start went."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from reelpatch.headless.commands.main import DONE, main
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.headless.models import fill, read_ahead
from reelpatch.headless.models.read_ahead import ReadAhead
from reelpatch.headless.models.start_times import PARTS
from reelpatch.recipes import recipe
from reelpatch.weights import weight_files

CLIP = torch.from_numpy(scenes.example(scenes.HELD_OUT).source)[:5]
ROOT = Path(__file__).parents[4]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """What the system is asked to read: (file, first byte, number of bytes)."""
    found: list[tuple[str, int, int]] = []

    def note(file: int, begin: int, length: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        found.append((Path(f"/proc/self/fd/{file}").readlink().name, begin, length))

    monkeypatch.setattr(os, "posix_fadvise", note)
    return found


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system reads no files ahead")
def test_an_edit_has_its_weights_read_in_the_order_of_use(asked: list[tuple[str, int, int]]) -> None:
    editor = Editor(recipe("demo"))
    assert asked == []
    editor.edit(CLIP, "make it sepia")
    editor.edit(CLIP, "make it grayscale")
    editor._ahead.wait()
    files = editor.files
    paths = (files.text_encoder, files.vae, files.backbone, files.module, files.loras[0][0])
    expected = [(path.name, 0, path.stat().st_size) for path in paths if path is not None]
    assert asked == expected


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system reads no files ahead")
def test_large_files_are_asked_for_in_parts_and_no_more_than_half_of_memory(
    asked: list[tuple[str, int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(48)
    monkeypatch.setattr(read_ahead, "_PART_BYTES", 32)
    memory = type("Memory", (), {"available": 140})
    monkeypatch.setattr(read_ahead.psutil, "virtual_memory", lambda: memory)
    ahead = ReadAhead([tmp_path / "a", tmp_path / "b", tmp_path / "a", tmp_path / "c"])
    ahead.begin()
    ahead.wait()
    assert asked == [("a", 0, 32), ("a", 32, 16), ("b", 0, 22)]


def test_a_second_edit_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    usual = weight_files.open_tensors

    def counted(file: Any, device: Any) -> Any:
        opened.append(file.path)
        return usual(file, device)

    monkeypatch.setattr(fill, "open_tensors", counted)
    editor = Editor(recipe("demo"))
    first = editor.edit(CLIP, "make it sepia")
    assert len(set(opened)) >= 4
    opened.clear()
    other = editor.edit(CLIP, "make it grayscale")
    assert opened == []
    assert not torch.equal(first, other)


def test_a_run_says_where_its_start_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = ROOT / "workflows/reelpatch_demo_clip.mp4"
    arguments = ["edit", str(clip), "make it sepia", "--output", str(tmp_path / "x.mp4"), "--json"]
    assert main(arguments) == DONE
    start = json.loads(capsys.readouterr().out)["start"]
    parts = [start.pop(f"{part}_s") for part in PARTS]
    whole = start.pop("process_to_first_step_s")
    assert start == {}
    assert all(seconds > 0 for seconds in parts)
    assert sum(parts) <= whole
