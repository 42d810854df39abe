"""Masks as people have them: each edits exactly its part, or ends in one sentence before any work."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.headless.commands.main import main
from reelpatch.media.frame_reader import look_through
from reelpatch.media.mask_file import WindowMask, read_mask
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.windows.plan_windows import plan_windows
from tests.conftest import moving_square
from tests.unit.media.drawn_masks import (
    FILM,
    FRAMES,
    PICTURE,
    SIDE,
    WHERE,
    WHITE,
    film,
    half_labels,
    in_colours,
    in_colours_with_void,
    layers,
    palette,
    voided,
)

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
    "void.png": (voided, "labels up to 2 are edited, and 255, which marks no label, is kept"),
    "void_in_colours.png": (in_colours_with_void, "colours but black and PASCAL VOC's void"),
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


def test_a_white_thing_on_what_is_nearly_black_is_no_void(tmp_path: Path) -> None:
    """Few or uneven low values beside 255 are noise, not labels."""
    noise = np.random.default_rng(0).integers(0, 3, WHERE.shape).astype(np.uint8)
    Image.fromarray(np.maximum(WHERE, noise)).save(tmp_path / "mask.png")
    assert is_the_part(taken(tmp_path / "mask.png", threshold=0.5)[0])
    mask, words = taken(tmp_path / "mask.png")
    assert "label" not in words
    assert (mask[0].numpy()[WHERE > 0] == 1).all()


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


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_video(Video(moving_square(FRAMES, SIDE, SIDE), Fraction(8)), path, crf=0)
    return path


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
    tmp_path: Path, clip: Path, models_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(WHERE).save(tmp_path / "mask.jpg", quality=30)
    out = tmp_path / "out.mkv"
    arguments = ["edit", str(clip), "make it sepia", "--mask", str(tmp_path / "mask.jpg"), "--steps", "1"]
    assert main([*arguments, "--models", str(models_folder), "--output", str(out)]) == 0
    texts = capsys.readouterr().err.splitlines()
    said = next(index for index, text in enumerate(texts) if "mask.jpg is taken from its brightness" in text)
    assert "16.4% of the picture in every frame" in texts[said]
    assert said < next(index for index, text in enumerate(texts) if text.startswith("Recipe demo"))
    source, made = (read_video(path, folder_fps=Fraction(1)).frames for path in (clip, out))
    assert not (source != made)[:, WHERE == 0].any()
    assert (source != made)[:, WHERE > 0].any()
