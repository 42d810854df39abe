"""What was read of a file is given again while the file looks the same, and never of one that was just written."""

import os
import time
from pathlib import Path

import pytest

from reelpatch.weights import unchanged_files
from reelpatch.weights.unchanged_files import remembered


class Reader:
    """Counts how often a file is really read."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, path: Path) -> bytes:
        self.reads += 1
        return path.read_bytes()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were written a moment ago are an hour old."""
    real = time.time_ns
    monkeypatch.setattr(unchanged_files.time, "time_ns", lambda: real() + 3600 * 10**9)


@pytest.mark.usefixtures("later")
def test_a_file_that_looks_the_same_is_read_once(tmp_path: Path) -> None:
    path, reader = tmp_path / "a", Reader()
    read = remembered(4)(reader.read)
    path.write_bytes(b"one")
    assert [read(path), read(path), read(path)] == [b"one"] * 3
    assert reader.reads == 1


@pytest.mark.usefixtures("later")
def test_a_change_of_the_same_size_and_age_is_seen(tmp_path: Path) -> None:
    path, reader = tmp_path / "a", Reader()
    read = remembered(4)(reader.read)
    path.write_bytes(b"one")
    age = path.stat()
    assert read(path) == b"one"
    time.sleep(0.05)  # more than a tick of the clock by which Linux notes when a file changed
    path.write_bytes(b"two")
    os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))
    assert read(path) == b"two"
    other = tmp_path / "b"
    other.write_bytes(b"six")
    os.utime(other, ns=(age.st_atime_ns, age.st_mtime_ns))
    other.replace(path)
    assert read(path) == b"six"


def test_what_has_just_been_written_is_read_each_time(tmp_path: Path) -> None:
    path, reader = tmp_path / "a", Reader()
    read = remembered(4)(reader.read)
    path.write_bytes(b"one")
    assert [read(path), read(path)] == [b"one"] * 2
    assert reader.reads == 2


@pytest.mark.usefixtures("later")
def test_what_cannot_be_read_says_so_each_time(tmp_path: Path) -> None:
    path, reader = tmp_path / "a", Reader()
    read = remembered(4)(reader.read)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            read(path)
    assert reader.reads == 2
    path.write_bytes(b"one")
    assert read(path) == b"one"
