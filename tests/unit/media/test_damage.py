"""Frames that decode with errors are counted, and worked on only where that was asked for."""

import logging
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.media.frame_reader import FrameReader, look_through
from reelpatch.media.video_io import read_video
from tests.unit.media.numbered import film, numbers, patch, picture

ONE = Fraction(1)
FORMS = {
    "libx264": (".mp4", {"crf": "8", "g": "3", "bf": "0"}),
    "mpeg4": (".mp4", {"qscale": "2", "g": "3"}),
    "ffv1": (".mkv", {"level": "3", "slicecrc": "1", "g": "1"}),
}


def damaged(folder: Path, codec: str) -> Path:
    """A film of noisy frames, with 16 bytes overwritten in number 4; of H.264, these begin with the size of what follows."""
    suffix, options = FORMS[codec]
    rng = np.random.default_rng(0)
    noise = rng.integers(-15, 15, (9, 64, 64, 3))
    images = [np.clip(picture(index) + noise[index], 0, 255).astype(np.uint8) for index in range(9)]
    path = folder / f"{codec}{suffix}"
    film(path, images, codec=codec, options=options)
    with av.open(path) as container:
        packet = [packet for packet in container.demux() if packet.size][4]
        at = packet.pos or 0
    at += 0 if codec == "libx264" else packet.size // 2
    junk = rng.integers(0, 256, 16, dtype=np.uint8).tobytes()
    patch(path, lambda data: data.__setitem__(slice(at, at + 16), junk))
    return path


@pytest.mark.parametrize("codec", FORMS)
def test_hurt_frames_are_counted_and_refused(tmp_path: Path, codec: str) -> None:
    path = damaged(tmp_path, codec)
    with pytest.raises(
        BadInput, match=r"is damaged: \d frames? (decoded with errors|could not be decoded)"
    ) as found:
        read_video(path, folder_fps=ONE, accept_damage=False)
    assert found.value.settings == ("accept_damage",)
    with pytest.raises(BadInput, match="is damaged"):
        look_through(path, folder_fps=ONE, accept_damage=False)
    with pytest.raises(BadInput, match=r"get a whole copy\.$") as found:
        read_video(path, folder_fps=ONE)  # such as a mask's
    assert not found.value.settings


@pytest.mark.parametrize("codec", FORMS)
def test_accepted_damage_is_said_and_costs_no_other_frame(
    tmp_path: Path, codec: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("reelpatch"), "propagate", True)
    path = damaged(tmp_path, codec)
    video = read_video(path, folder_fps=ONE, accept_damage=True)
    assert any("is damaged: 1 frame" in line for line in caplog.messages)
    shown = numbers(video.frames)
    assert len(shown) == 9 - (codec == "libx264")  # of which this frame could not be decoded at all
    assert len(set(range(9)) & set(shown)) >= 6  # the group of pictures around the damage is what may be hurt
    if video.times_s:  # what is lost leaves its time to the frame before
        assert video.times_s[3:5] == (Fraction(3, 25), Fraction(5, 25))
    header = look_through(path, folder_fps=ONE, accept_damage=True)
    reader = FrameReader(path, accept_damage=header.accept_damage)
    assert np.array_equal(reader.part(0, header.num_frames), video.frames)
    reader.close()


def test_the_command_line_asks_for_consent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = damaged(tmp_path, "mpeg4")
    command = [
        "edit",
        str(path),
        "make the circle blue",
        "--output",
        str(tmp_path / "out.mp4"),
        "--steps",
        "1",
    ]
    assert main(command) == BAD_INPUT
    assert "(--accept-damage)" in capsys.readouterr().err
    assert main([*command, "--accept-damage"]) == DONE
    assert len(read_video(tmp_path / "out.mp4", folder_fps=ONE).frames) == 9
