"""What is made of windows before their turn is taken as it was made, or not at all, and leaves nothing behind."""

from pathlib import Path

import pytest
import torch

from reelpatch.errors import BadInput
from reelpatch.windows.ahead import LatentsAhead, ahead_folder, remove_ahead

LATENTS = torch.arange(24.0).reshape(2, 3, 2, 2)


def test_latents_are_found_by_window_and_run(tmp_path: Path) -> None:
    ahead = LatentsAhead(tmp_path / "out.mp4", {"seed": 1})
    assert ahead.found(3) is None
    ahead.keep(3, LATENTS[:, 1:])
    found = ahead.found(3)
    assert found is not None
    assert torch.equal(found, LATENTS[:, 1:])
    assert ahead.found(2) is None
    assert LatentsAhead(tmp_path / "out.mp4", {"seed": 2}).found(3) is None
    assert LatentsAhead(tmp_path / "other.mp4", {"seed": 1}).found(3) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_latents_are_as_if_they_were_not_there(tmp_path: Path, damage: str) -> None:
    ahead = LatentsAhead(tmp_path / "out.mp4", {})
    ahead.keep(1, LATENTS)
    (path,) = ahead_folder(ahead.target).iterdir()
    stored = path.read_bytes()
    flipped = stored[:-1] + bytes([stored[-1] ^ 1])
    path.write_bytes({"cut": stored[:-4], "flipped": flipped, "empty": b""}[damage])
    assert ahead.found(1) is None


def test_of_a_folder_only_what_was_made_ahead_is_taken_away(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    remove_ahead(target)  # where there is none
    LatentsAhead(target, {}).keep(1, LATENTS)
    remove_ahead(target)
    assert list(tmp_path.iterdir()) == []
    LatentsAhead(target, {}).keep(1, LATENTS)
    half = next(ahead_folder(target).iterdir())
    half.with_name(f".{half.name}.77.part").touch()
    (ahead_folder(target) / "mine.safetensors").touch()
    remove_ahead(target)
    assert [path.name for path in ahead_folder(target).iterdir()] == ["mine.safetensors"]


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    ahead_folder(target).touch()
    with pytest.raises(BadInput, match=r"out\.mp4\.ahead"):
        LatentsAhead(target, {}).keep(1, LATENTS)
