"""A result is named after its clip and its instruction, in any script, and no longer than file systems allow."""

from pathlib import Path

import pytest

from reelpatch.media.beside import MAX_NAME_BYTES, named_after
from reelpatch.media.saving import check_place, saved_at


@pytest.mark.parametrize(
    ("clip", "instruction", "name"),
    [
        ("clip.mov", "Make it a Claymation.", "clip_make_it_a_claymation.mp4"),
        ("clip.mp4", "make the circle blue/../red", "clip_make_the_circle_blue_red.mp4"),
        ("frames", "把圆形变成蓝色", "frames_把圆形变成蓝色.mp4"),
        ("clip.mp4", "?!", "clip_edited.mp4"),
    ],
)
def test_both_stand_in_the_name(tmp_path: Path, clip: str, instruction: str, name: str) -> None:
    assert named_after(tmp_path / clip, instruction) == tmp_path / name


@pytest.mark.parametrize("letter", ["x", "蓝"])
def test_a_long_instruction_is_cut(tmp_path: Path, letter: str) -> None:
    target = named_after(tmp_path / f"{letter * 60}.mp4", letter * 1000)
    assert len(target.name.encode()) <= MAX_NAME_BYTES
    assert target.name.startswith(letter * 60)
    target.touch()


def test_two_edits_of_a_clip_are_two_files() -> None:
    names = {named_after(Path("clip.mp4"), words) for words in ("make it sepia", "make it grayscale")}
    assert len(names) == 2


def test_results_that_differ_in_their_ending_alone_are_written_side_by_side(tmp_path: Path) -> None:
    """As two jobs of one process write them: the other one looks whether it may write while the first one does."""
    with saved_at(tmp_path / "clip.mp4") as part:
        part.write_bytes(b"frames")
        check_place(tmp_path / "clip.mkv", ".mkv")
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4"}
    assert (tmp_path / "clip.mp4").read_bytes() == b"frames"
