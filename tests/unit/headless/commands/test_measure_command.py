"""The verb `measure` on clips with known answers."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.measure.measures import measure

Clip = NDArray[np.uint8]
Captured = pytest.CaptureFixture[str]


def panning(frames: int = 7, height: int = 48, width: int = 64, seed: int = 0) -> Clip:
    """Soft blobs that pass by, 2 pixels a frame."""
    noise = torch.rand(1, 3, height // 8, width // 4, generator=torch.Generator().manual_seed(seed))
    wide = torch.nn.functional.interpolate(noise, (height, width * 2), mode="bicubic")[0].clamp(0, 1)
    picture = (60 + 135 * wide).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return np.stack([picture[:, 2 * index : 2 * index + width] for index in range(frames)])


def lit(clip: Clip, levels: NDArray[np.int64]) -> Clip:
    """The clip with its brightness moved by so many levels, frame by frame."""
    return np.clip(clip.astype(int) + levels[:, None, None, None], 0, 255).astype(np.uint8)


def flickering(clip: Clip, amplitude: int) -> Clip:
    return lit(clip, amplitude * (-1) ** np.arange(len(clip)))


def test_flicker_rises_with_the_flicker_put_in() -> None:
    clip = panning()
    found = [measure(clip, flickering(clip, amplitude)).flicker for amplitude in (0, 1, 2, 4, 8, 16)]
    levels = [flicker.after for flicker in found]
    assert levels == sorted(set(levels))
    assert found[0].ratio == 1
    # Light that goes up and down by A changes by 2 A between frames.
    assert levels[-1] == pytest.approx(32, rel=0.15)
    assert found[-1].before == found[0].before


@pytest.mark.parametrize(
    "edited", [lit(panning(), np.full(7, 20)), panning()[:, ::-1].copy(), np.roll(panning(), 5, axis=1)]
)
def test_a_steady_change_is_no_flicker(edited: Clip) -> None:
    ratio = measure(panning(), edited).flicker.ratio
    assert ratio is not None
    assert ratio < 1.5


def test_a_mask_tells_what_had_to_stay_from_what_could_change() -> None:
    before = panning()
    mask = torch.zeros(before.shape[:3])
    mask[:, 10:30, 20:44] = 1
    inside = mask.bool().numpy()
    after = before.copy()
    after[inside] = np.clip(after[inside] + 20.0, 0, 255).astype(np.uint8)
    clean = measure(before, after, mask)
    assert (clean.psnr_outside, clean.changed_outside) == (math.inf, 0)
    assert clean.ssim_outside == pytest.approx(1)
    assert clean.change_inside == pytest.approx(20)
    assert clean.drift is not None
    assert clean.drift.largest == pytest.approx(0, abs=1e-6)
    after[3, 0, 0, 1] += 5
    touched = measure(before, after, mask)
    assert touched.changed_outside == 1
    num_outside = 3 * int((mask == 0).sum())
    assert touched.psnr_outside == pytest.approx(-10 * math.log10((5 / 255) ** 2 / num_outside), abs=1e-3)


def test_flicker_inside_the_mask_is_told_apart() -> None:
    before = panning()
    mask = torch.zeros(before.shape[:3])
    mask[:, :, 32:] = 1
    after = before.copy()
    after[:, :, 32:] = flickering(before, 8)[:, :, 32:]
    found = measure(before, after, mask)
    assert found.flicker_inside is not None
    assert found.flicker_inside.after > found.flicker.after > found.flicker.before


def test_colours_that_wander_off_and_joins_that_jump_are_found() -> None:
    before = panning()
    drifting = measure(before, lit(before, 2 * np.arange(7)))
    assert drifting.drift is not None
    assert drifting.drift.trend == pytest.approx(12 * math.sqrt(3), rel=1e-3)
    jumping = measure(before, lit(before, np.array([0, 0, 0, 0, 25, 25, 25])), at=[2, 4])
    smooth, jump = jumping.joins
    assert smooth.visibility == pytest.approx(smooth.of_source) == pytest.approx(1, abs=0.1)
    assert jump.visibility > 1.5 > jump.of_source


def test_one_frame_has_no_flicker_and_small_ones_no_structure() -> None:
    frame = panning(1, 8, 8)
    found = measure(frame, frame)
    assert (found.flicker.after, found.flicker.ratio, found.drift, found.ssim_outside) == (None,) * 4
    assert measure(panning(2, 8, 8), panning(2, 8, 8)).flicker.after is not None


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Before, after and mask as folders of images, so that no codec stands between."""
    root = tmp_path_factory.mktemp("clips")
    before = panning(3)
    after = before.copy()
    after[:, 10:20, 10:20] += 10
    mask = np.zeros_like(before[:1])
    mask[:, 10:20, 10:20] = 255
    paths = root / "before", root / "after", root / "mask"
    for path, clip in zip(paths, (before, after, mask), strict=True):
        path.mkdir()
        for index, image in enumerate(clip):
            Image.fromarray(image).save(path / f"{index}.png")
    return paths


def test_the_verb_answers_in_json_and_draws(
    clips: tuple[Path, Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    before, after, mask = clips
    drawing = tmp_path / "x.png"
    arguments = ["measure", str(before), str(after), "--mask", str(mask / "0.png"), "--joins", "1"]
    assert main([*arguments, "--plot", str(drawing), "--json"]) == DONE
    answer = json.loads(capsys.readouterr().out)
    assert answer["outside"] == {"psnr_db": None, "ssim": pytest.approx(1), "values_changed": 0}
    assert answer["inside"]["change_levels"] == pytest.approx(10)
    assert len(answer["by_frame"]["flicker_after"]) == 2
    with Image.open(drawing) as image:
        colours = image.getcolors(1 << 20)
    assert colours
    assert {(40, 90, 170), (140, 140, 140), (200, 140, 40)} <= {colour for _, colour in colours}
    assert list(tmp_path.iterdir()) == [drawing]
    assert main(arguments) == DONE
    text = capsys.readouterr().out
    assert "inside: changed by 10 levels" in text
    assert "join before frame 1" in text


def test_what_does_not_belong_together_is_refused_in_one_sentence(
    clips: tuple[Path, Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    before, after, mask = map(str, clips)
    cases = {
        ("measure", before, mask): "1 frame of 64x48: give two clips",
        ("measure", before, str(tmp_path / "no.mp4")): "there is no clip",
        ("measure", before, after, "--joins", "3"): "--joins",
        ("measure", before, after, "--joins", "x"): "no list of frames",
        ("measure", before, after, "--plot", str(tmp_path / "x.jpg")): "--plot",
        ("measure", before, after, "--plot", str(tmp_path / "no" / "x.png")): "does not exist",
    }
    for arguments, words in cases.items():
        assert main(arguments) == BAD_INPUT
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line
    assert not list(tmp_path.iterdir())
