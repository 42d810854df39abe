"""What appears under a name is on the disk already: asked of the system in this order, whatever is saved."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reelpatch.media.saving import saved_at, saved_folder

Calls = list[tuple[str, str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What is synced and what is named, in order; the calls are made."""
    calls: Calls = []
    sync, name = os.fsync, Path.replace

    def told_sync(descriptor: int) -> None:
        calls.append(("synced", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        sync(descriptor)

    def told_name(part: Path, path: Path) -> Path:
        calls.append(("named", path.name))
        return name(part, path)

    monkeypatch.setattr(os, "fsync", told_sync)
    monkeypatch.setattr(Path, "replace", told_name)
    return calls


def a_file(path: Path) -> None:
    with saved_at(path) as part:
        part.write_bytes(b"frames")


def a_folder(path: Path) -> None:
    with saved_folder(path) as part:
        (part / "0.png").write_bytes(b"frame")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files are read from /proc")
@pytest.mark.parametrize("save", [a_file, a_folder])
def test_content_is_on_the_disk_before_the_name_and_the_name_after(
    save: Callable[[Path], None], tmp_path: Path, asked: Calls
) -> None:
    save(tmp_path / "out")
    before, after = asked[: asked.index(("named", "out"))], asked[asked.index(("named", "out")) + 1 :]
    within = ["0.png"] if save is a_folder else []
    assert [name for _, name in before[:-1]] == within
    assert before[-1][0] == "synced"
    assert before[-1][1].startswith(".out")
    assert after == [("synced", tmp_path.name)]
