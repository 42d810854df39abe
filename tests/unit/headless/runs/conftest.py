"""What several tests of runs share."""

from fractions import Fraction
from pathlib import Path

import pytest

from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video
from tests.conftest import moving_square


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A square that moves over nine frames, without loss."""
    path = tmp_path / "clip.mkv"
    write_video(Video(moving_square(9), Fraction(8)), path)
    return path
