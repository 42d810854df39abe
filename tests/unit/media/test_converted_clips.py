"""Clips with more than 8 bits, HDR light or transparent parts are converted, and the log says so."""

import logging
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reelpatch.media.hdr import Curve, to_sdr
from reelpatch.media.video_io import Video, read_video

CODE = 65535


def read(path: Path) -> Video:
    return read_video(path, folder_fps=Fraction(8))


def deep(path: Path, image: NDArray[np.uint16], pixel_format: str, curve: int = 1, matrix: int = 1) -> None:
    """An FFV1 film of one picture of 16 bits, three times."""
    with av.open(path, "w") as output:
        stream = output.add_stream("ffv1", rate=8)
        stream.height, stream.width, stream.pix_fmt = *image.shape[:2], pixel_format
        context = stream.codec_context
        context.color_trc, context.colorspace, context.color_range = curve, matrix, 1
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(image, format="rgb48le").reformat(
                format=pixel_format, dst_colorspace=matrix, dst_color_range=1
            )
            frame.pts = index
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


@pytest.fixture
def words(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("reelpatch"), "propagate", True)
    caplog.set_level(logging.INFO, "reelpatch")
    return caplog


def test_ten_bits_become_eight(tmp_path: Path, words: pytest.LogCaptureFixture) -> None:
    ramp = np.linspace(0, CODE, 64).round().astype(np.uint16)
    image = np.broadcast_to(ramp[None, :, None], (16, 64, 3)).copy()
    deep(tmp_path / "x.mkv", image, "yuv444p10le")
    frames = read(tmp_path / "x.mkv").frames
    assert np.abs(frames.astype(int) - (image / 257).round()).max() <= 2
    (line,) = words.messages
    assert "has 10 bits a colour; it is edited and given back with 8" in line


@pytest.mark.parametrize(("number", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_becomes_sdr_and_says_so(
    tmp_path: Path, words: pytest.LogCaptureFixture, number: int, name: Curve
) -> None:
    ramp = np.linspace(0, CODE, 64).round().astype(np.uint16)
    image = np.broadcast_to(ramp[None, :, None], (16, 64, 3)).copy()
    deep(tmp_path / "x.mkv", image, "yuv420p10le", number, 9)
    frames = read(tmp_path / "x.mkv").frames
    assert np.abs(frames[0].astype(int) - to_sdr(image, name)).max() <= 3
    (line,) = words.messages
    assert f"is HDR ({name}); it is edited and given back as SDR" in line


def grays(curve: Curve, codes: list[float]) -> list[int]:
    image = np.array(codes)[None, :, None] * np.ones(3) * CODE
    found = to_sdr(image.round().astype(np.uint16), curve)
    assert (found.max(-1) - found.min(-1)).max() <= 1  # gray stays gray
    return [int(value) for value in found[0, :, 0]]


def test_light_is_rolled_off_from_black_to_the_peak() -> None:
    pq = grays("PQ", list(np.linspace(0, 1, 101)))
    assert pq[0] == 0
    assert pq == sorted(pq)
    assert pq[-1] == 255
    # 1000, 203 and 20.3 cd/m2, by BT.2100's own table of PQ; the last one is below the knee, so as it is.
    peak, white, dim = grays("PQ", [0.7518, 0.5807, 0.3583])
    assert peak >= 254
    assert 190 < white < 245
    assert dim == pytest.approx(255 * 0.1 ** (1 / 2.4), abs=2)


def test_hlg_and_pq_of_the_same_light_look_the_same() -> None:
    # BT.2408: reference white is 75 % of HLG and 58 % of PQ, both 203 cd/m2.
    assert abs(grays("HLG", [0.75])[0] - grays("PQ", [0.5807])[0]) <= 2
    assert grays("HLG", [0.0, 1.0]) == [0, 255]


def test_colours_keep_their_hue() -> None:
    code = np.array([[[0.58, 0.2, 0.2]]]) * CODE
    red = to_sdr(code.astype(np.uint16), "PQ")[0, 0]
    assert red[0] > 150
    assert red[1] < 60
    assert red[2] < 60


def test_transparent_parts_are_laid_on_black(tmp_path: Path, words: pytest.LogCaptureFixture) -> None:
    image = np.full((16, 16, 4), 200, np.uint8)
    image[:8, :, 3] = 0
    image[8:, :8, 3] = 128
    image[8:, 8:, 3] = 255
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(2):
        Image.fromarray(image).save(folder / f"{index}.png")
    with av.open(tmp_path / "x.mov", "w") as output:
        stream = output.add_stream("qtrle", rate=8)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "argb"
        for index in range(2):
            frame = av.VideoFrame.from_ndarray(image, format="rgba")
            frame.pts = index
            output.mux(stream.encode(frame.reformat(format="argb")))
        output.mux(stream.encode(None))
    for path in (folder, tmp_path / "x.mov"):
        frames = read(path).frames
        assert frames.shape == (2, 16, 16, 3)
        assert frames[:, :8].max() == 0
        assert np.unique(frames[:, 8:, :8]).tolist() == [100]
        assert np.unique(frames[:, 8:, 8:]).tolist() == [200]
    assert ["laid on black" in line for line in words.messages] == [True, True]
