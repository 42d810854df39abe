"""Masks as people have them: each edits exactly its part, or ends in one sentence before any work."""

import json
import logging
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.headless.commands.main import BAD_INPUT, main
from reelpatch.media.frame_reader import look_through
from reelpatch.media.mask_file import WindowMask, read_mask
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.windows.plan_windows import plan_windows
from tests.conftest import moving_square

SIDE, FRAMES = 32, 9
WHERE = np.zeros((SIDE, SIDE), np.uint8)
WHERE[12:26, 10:22] = 255
WHITE = np.full_like(WHERE, 255)
PICTURE = np.stack([40 + 0 * WHITE, *(40 + 6 * np.mgrid[:SIDE, :SIDE]).astype(np.uint8)], -1)
Still = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]


def layers(*planes: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.dstack(planes))


def palette(*colours: tuple[int, int, int], labels: NDArray[np.uint8] = WHERE // 255) -> Image.Image:
    image = Image.fromarray(labels).convert("P")
    image.putdata(labels.ravel().tolist())
    image.putpalette([value for colour in colours for value in colour])
    return image


def half_labels() -> NDArray[np.uint8]:
    """Two objects, of the labels 1 and 2."""
    labels = WHERE // 255
    labels[12:18] *= 2
    return labels


def in_colours() -> Image.Image:
    return Image.fromarray(np.array([(0, 0, 0), (128, 0, 0), (64, 128, 0)], np.uint8)[half_labels()])


# What each shows, and which words say how it was taken.
STILLS: Mapping[str, tuple[Callable[[], Image.Image], str]] = {
    "gray.png": (lambda: Image.fromarray(WHERE), "brightness: two values, 0 is kept and 255"),
    "white_paint.png": (lambda: layers(WHITE, WHITE, WHITE, WHERE), "opacity"),
    "black_paint.png": (lambda: layers(*3 * [WHITE * 0], WHERE), "opacity"),
    "paint_on_cleared.png": (lambda: layers(WHERE, WHERE, WHERE, WHERE), "opacity"),
    "gray_and_alpha.png": (lambda: Image.merge("LA", 2 * [Image.fromarray(WHERE)]), "opacity"),
    "opaque.png": (lambda: layers(WHERE, WHERE, WHERE, WHITE), "brightness"),
    "hole.png": (lambda: layers(PICTURE, WHITE - WHERE), "transparency"),
    "hole_in_a_cleared_picture.png": (
        lambda: layers(PICTURE * (WHERE == 0)[..., None].astype(np.uint8), WHITE - WHERE),
        "transparency",
    ),
    "labels.png": (lambda: Image.fromarray(WHERE // 255), "the label 1 is edited"),
    "two_labels.png": (lambda: Image.fromarray(half_labels()), "the labels 1 to 2 are edited"),
    "labels_of_16.png": (lambda: Image.fromarray((WHERE // 255).astype(np.uint16)), "the label 1"),
    "eight_in_16.png": (lambda: Image.fromarray(WHERE.astype(np.uint16)), "255 is edited"),
    "sixteen.png": (lambda: Image.fromarray(WHERE.astype(np.uint16) * 257), "65535 is edited"),
    "fractions.tiff": (lambda: Image.fromarray((WHERE / 255).astype(np.float32)), "65535 is edited"),
    "dark_red.png": (lambda: palette((0, 0, 0), (128, 0, 0)), "colours but black"),
    "two_colours.png": (
        lambda: palette((0, 0, 0), (128, 0, 0), (64, 128, 0), labels=half_labels()),
        "colours but black",
    ),
    "colours.png": (in_colours, "colours but black"),
    "palette_of_grays.png": (
        lambda: palette((255, 255, 255), (0, 0, 0), labels=1 - WHERE // 255),
        "brightness",
    ),
    "one_bit.png": (lambda: Image.fromarray(WHERE > 0), "brightness"),
    "limited_range.png": (lambda: Image.fromarray(WHERE // 255 * 219 + 16), "16 is kept and 235 is edited"),
    "noisy.jpg": (lambda: Image.fromarray(WHERE), "noise cut off"),
    "tiff.tiff": (lambda: Image.fromarray(WHERE), "brightness"),
    "gif.gif": (lambda: Image.fromarray(WHERE), "brightness"),
}


def taken(path: Path, **asked: Any) -> tuple[torch.Tensor, str]:
    return read_mask(path, AskedMask(**asked), size=(SIDE, SIDE), lengths=(FRAMES,), fps=Fraction(8))


def is_the_part(mask: torch.Tensor) -> bool:
    return all(torch.equal(frame, torch.from_numpy(WHERE / np.float32(255))) for frame in mask)


@pytest.mark.parametrize("name", STILLS)
def test_every_still_is_its_part(tmp_path: Path, name: str) -> None:
    make, said = STILLS[name]
    make().save(tmp_path / name, quality=30)
    mask, words = taken(tmp_path / name)
    assert is_the_part(mask)
    assert said in words
    Cover.of(mask).check(AskedMask())


def film(
    path: Path,
    pictures: list[NDArray[np.uint8]],
    codec: str,
    pix_fmt: str,
    *,
    rate: int = 8,
    options: Mapping[str, str] | None = None,
) -> Path:
    with av.open(path, "w") as output:
        stream: Any = output.add_stream(codec, rate=rate, options=dict(options or {}))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        for picture in pictures:
            kind = "rgba" if picture.shape[2] == 4 else "rgb24"
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=kind)))
        output.mux(stream.encode(None))
    return path


FILM = np.repeat(WHERE[..., None], 3, 2)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [
        ("a.mp4", "libx264", "yuv420p", {"crf": "40"}),
        ("a.mp4", "libx264", "gray", {"crf": "23"}),
        ("a.avi", "mjpeg", "yuvj420p", {"qscale": "12"}),
        ("a.mov", "png", "rgb24", {}),
    ],
)
def test_a_film_is_its_part_whatever_its_codec_did(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    for frames in (FRAMES, 1):
        if (frames, options.get("crf")) == (1, "40"):
            continue  # a corner of its only frame is gray
        mask, _ = taken(film(tmp_path / name, [FILM] * frames, codec, pix_fmt, options=options))
        assert len(mask) == frames
        assert is_the_part(mask)


def test_a_folder_of_what_a_lossy_codec_left_is_hard(tmp_path: Path) -> None:
    """Frames of a film that were unpacked: lossless files, with the film's noise in them."""
    unpacked = read_video(
        film(tmp_path / "a.avi", [FILM] * FRAMES, "mjpeg", "yuvj420p", options={"qscale": "12"}),
        folder_fps=Fraction(1),
    )
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, picture in enumerate(unpacked.frames):
        Image.fromarray(picture).save(folder / f"{index}.png")
    mask, words = taken(folder)
    assert is_the_part(mask)
    assert "noise" in words


@pytest.mark.parametrize("name", ["soft.png", "soft.tiff", "soft16.png"])
def test_soft_edges_stay(tmp_path: Path, name: str) -> None:
    ramp = np.repeat(np.linspace(0, 65535, SIDE).astype(np.uint16)[None], SIDE, 0)
    stored = ramp if "16" in name else (ramp // 257).astype(np.uint8)
    Image.fromarray(stored).save(tmp_path / name)
    mask, words = taken(tmp_path / name)
    assert mask[0].numpy() == pytest.approx(stored / np.iinfo(stored.dtype).max, abs=1e-6)
    assert "soft" in words


def test_a_soft_film_stays_soft_and_its_black_black(tmp_path: Path) -> None:
    ramp = np.clip((np.arange(64) - 20) * 12, 0, 255).astype(np.uint8)
    picture = np.repeat(np.repeat(ramp[None, :, None], 64, 0), 3, 2)
    path = film(tmp_path / "a.mp4", [picture] * 3, "libx264", "yuv420p", options={"crf": "23"})
    mask, _ = read_mask(path, AskedMask(), size=(64, 64), lengths=(3,))
    assert len(mask.unique()) > 8
    assert not mask[..., :18].any()
    assert (mask[..., 46:] == 1).all()


def test_what_was_asked_for_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    layers(np.where(WHERE > 0, 0, 200).astype(np.uint8), WHERE, WHERE // 2, WHITE - WHERE).save(path)
    for asked in (
        {"channel": "green"},
        {"channel": "blue"},
        {"channel": "inverse-alpha"},
        {"channel": "luma", "threshold": 0.5},
    ):
        assert is_the_part(taken(path, **asked)[0]), asked
    assert is_the_part(1 - taken(path, channel="alpha")[0])
    assert is_the_part(1 - taken(path, channel="red")[0])
    assert taken(path, channel="blue", threshold=0)[0].max() == pytest.approx(127 / 255)
    assert not taken(path, channel="blue", threshold=0.6)[0].any()


def cut_out() -> Image.Image:
    return layers(PICTURE, WHERE)


REFUSED: Mapping[str, tuple[Callable[[], Image.Image], str]] = {
    "black.png": (lambda: Image.fromarray(WHERE * 0), "0 everywhere"),
    "clear.png": (lambda: layers(*4 * [WHERE * 0]), "0 everywhere"),
    "black.jpg": (lambda: Image.fromarray(WHERE // 40), "0 everywhere"),
    "white.png": (lambda: Image.fromarray(WHITE), "nearly all, 100.0%"),
    "white.webp": (lambda: Image.fromarray(WHITE), "nearly all"),
    "cut_out.png": (cut_out, "(--mask-channel)"),
    "black_and_white_with_a_hole.png": (
        lambda: layers(WHERE, WHERE, WHERE, WHITE - WHERE.T),
        "(--mask-channel)",
    ),
    "photo.png": (lambda: Image.fromarray(PICTURE), "coloured picture"),
    "photo.jpg": (lambda: Image.fromarray(PICTURE), "coloured picture"),
    "red_on_white.png": (lambda: palette((255, 255, 255), (255, 0, 0)), "coloured picture"),
    "size.png": (lambda: Image.new("L", (16, 32)), "16x32 but the clip is 32x32"),
}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_video(Video(moving_square(FRAMES, SIDE, SIDE), Fraction(8)), path, crf=0)
    return path


@pytest.fixture
def refused(clip: Path, models_folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Why every verb that takes a mask refuses it, in the same words, with exit code 2 and nothing written."""

    def run(mask: Path, *options: str) -> str:
        out = clip.with_name("out.mp4")
        runs = [
            *([("edit", str(clip), "make it sepia", "--window-frames", frames)] for frames in ("0", "5")),
            [("task", "inpaint", "a circle", "--clip", str(clip), "--frames", "9", "--size", "32x32")],
        ]
        said = set[str]()
        for ((verb, *words),) in runs:
            arguments = [verb, *words, "--mask", str(mask), "--output", str(out), "--json", *options]
            assert main([*arguments, "--models", str(models_folder)]) == BAD_INPUT
            said.add(json.loads(capsys.readouterr().out)["error"])
            assert not list(clip.parent.glob("out*"))
        assert len(said) == 1, said
        return said.pop()

    return run


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_say_what_to_edit_is_refused_alike(
    tmp_path: Path, refused: Callable[..., str], name: str
) -> None:
    make, said = REFUSED[name]
    make().save(tmp_path / name)
    sentence = refused(tmp_path / name)
    assert said in sentence
    assert "\n" not in sentence


def test_a_turned_picture_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(WHERE).save(tmp_path / "turned.jpg", exif=exif)
    assert "EXIF" in refused(tmp_path / "turned.jpg")


def test_a_huge_picture_is_refused_by_its_header(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "huge.png")
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("it was decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("it was decoded"))
    assert "9000x9000 but the clip is 32x32" in refused(tmp_path / "huge.png")


@pytest.mark.parametrize("cut", [30, 60])
def test_a_damaged_picture_is_one_sentence(tmp_path: Path, refused: Callable[..., str], cut: int) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(PICTURE).save(path)
    path.write_bytes(path.read_bytes()[:cut])
    assert "cannot be read" in refused(path)


@pytest.mark.parametrize("frames", [5, 12])
def test_another_length_is_refused_and_the_rate_is_named(
    tmp_path: Path, refused: Callable[..., str], frames: int
) -> None:
    mask = film(tmp_path / "mask.mp4", [FILM] * frames, "libx264", "yuv420p", rate=10)
    sentence = refused(mask)
    assert (
        f"the mask has {frames} frames but the clip has 9, and has 10 frames a second and the clip 8"
        in sentence
    )


def test_the_dirt_on_a_mask_is_no_mask_unless_asked(tmp_path: Path) -> None:
    dirt = np.zeros((256, 256), np.uint8)
    dirt[:3, :3] = 255
    Image.fromarray(dirt).save(tmp_path / "mask.png")
    mask, _ = read_mask(tmp_path / "mask.png", AskedMask(), size=(256, 256), lengths=(1,))
    with pytest.raises(BadInput, match="nearly nothing"):
        Cover.of(mask).check(AskedMask())
    Cover.of(mask).check(AskedMask("luma"))
    Cover.of(torch.ones(1, 8, 8)).check(AskedMask(threshold=0.5))
    with pytest.raises(BadInput, match="0 everywhere"):
        Cover.of(torch.zeros(1, 8, 8)).check(AskedMask("luma"))


def test_time_counts_too(tmp_path: Path) -> None:
    pictures = [FILM if 2 <= index < 5 else FILM * 0 for index in range(FRAMES)]
    mask, _ = taken(film(tmp_path / "mask.mov", pictures, "png", "rgb24"))
    said = Cover.of(mask).describe()
    assert said.startswith("The mask covers 16.4% of the picture in 3 of 9 frames, between frames 2 and 4,")
    with pytest.raises(BadInput, match="0 everywhere"):
        Cover.of(mask).within((5, 8), FRAMES).check(AskedMask())


def test_windows_read_the_same_mask(tmp_path: Path, clip: Path) -> None:
    pictures = [np.roll(FILM, index, 1) for index in range(FRAMES)]
    path = film(tmp_path / "mask.avi", pictures, "mjpeg", "yuvj420p", options={"qscale": "12"})
    whole, words = taken(path)
    mask = WindowMask(path, (1, 7), look_through(clip, folder_fps=Fraction(1)), FRAMES)
    assert words in mask.describe()
    assert "in 7 of 9 frames" in mask.describe()
    parts = [mask.part(first, min(first + 5, FRAMES)) for first in (0, 4)]
    mask.close()
    expected = whole.clone()
    expected[[0, 8]] = 0
    assert torch.equal(torch.cat([parts[0][:4], parts[1]]), expected)
    assert plan_windows(FRAMES, 5, 1, lattice=WAN.lattice).windows[1].first == 4


def test_what_was_taken_is_said_before_work_and_kept_pixels_are_the_clip_s(
    tmp_path: Path, clip: Path, models_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.fromarray(WHERE).save(tmp_path / "mask.jpg", quality=30)
    caplog.set_level(logging.INFO)
    out = tmp_path / "out.mkv"
    arguments = ["edit", str(clip), "make it sepia", "--mask", str(tmp_path / "mask.jpg"), "--steps", "1"]
    assert main([*arguments, "--models", str(models_folder), "--output", str(out)]) == 0
    texts = [record.getMessage() for record in caplog.records]
    said = next(index for index, text in enumerate(texts) if "mask.jpg is taken from its brightness" in text)
    assert "16.4% of the picture in every frame" in texts[said]
    assert said < next(index for index, text in enumerate(texts) if text.startswith("Recipe demo"))
    source, made = (read_video(path, folder_fps=Fraction(1)).frames for path in (clip, out))
    assert not (source != made)[:, WHERE == 0].any()
    assert (source != made)[:, WHERE > 0].any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mask-channel", "hue"], "no mask channel 'hue': use one of auto, luma"),
        (["--mask-threshold", "2"], "the mask threshold is 2"),
        (["--mask-threshold", "nan"], "'nan' is no number"),
        (["--mask-channel", "luma", "--no-mask"], "none was given"),
        (["--mask-channel", "alpha"], "has no transparency"),
    ],
)
def test_wrong_options(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    Image.fromarray(WHERE).save(tmp_path / "mask.png")
    mask = [] if "--no-mask" in options else ["--mask", str(tmp_path / "mask.png")]
    options = [one for one in options if one != "--no-mask"]
    assert main(["edit", str(clip), "x", *mask, *options, "--output", str(tmp_path / "o.mp4")]) == BAD_INPUT
    assert said in capsys.readouterr().err
