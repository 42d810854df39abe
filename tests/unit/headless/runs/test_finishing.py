"""How the command line puts an edit back: only where the mask and its soft border say so."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.finish import Finish
from reelpatch.clips.worked_clip import Finishing
from reelpatch.families.wan.family import WAN
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.recipes import recipe
from tests.conftest import moving_square

Captured = pytest.CaptureFixture[str]
SOURCE = moving_square(5, 64, 96)
MASK = torch.zeros(5, 64, 96)
for _index in range(5):
    MASK[_index, 20:30, 30 + 3 * _index : 42 + 3 * _index] = 1


@pytest.mark.parametrize(
    "finishing",
    [
        Finishing(),
        Finishing(Finish(grow_px=2, feather_px=3)),
        Finishing(Finish(feather_px=4, blend="edges", match="mean")),
        Finishing(Finish(grow_px=-2, feather_px=3, match="histogram", match_frames=0), crop_px=8),
        Finishing(Finish(grow_px=3, feather_px=3), crop_px=0),
    ],
)
def test_no_value_of_8_bits_differs_beyond_the_feather(finishing: Finishing) -> None:
    clip = to_floats(SOURCE)
    part = finishing.part_of(clip, MASK, lattice=WAN.lattice)
    assert (part.crop is None) == (finishing.crop_px is None)
    edited = torch.rand(part.clip.shape, generator=torch.Generator().manual_seed(0))
    result = to_bytes(part.finished(edited))
    reach = max(0, finishing.how.grow_px + finishing.how.feather_px)
    allowed = torch.nn.functional.max_pool2d(MASK[:, None], 2 * reach + 1, 1, reach)[:, 0].bool().numpy()
    differs = (result != SOURCE).any(-1)
    assert differs[MASK.bool().numpy()].mean() > 0.5
    assert not differs[~allowed].any()


def test_a_crop_is_put_back_as_the_whole_picture_would_be() -> None:
    """With the same pixels from the model, the box changes nothing but what is worked on."""
    clip, how = to_floats(SOURCE), Finish(grow_px=2, feather_px=5)
    edited = torch.rand(clip.shape, generator=torch.Generator().manual_seed(1))
    whole = Finishing(how).part_of(clip, MASK, lattice=WAN.lattice).finished(edited)
    part = Finishing(how, crop_px=4).part_of(clip, MASK, lattice=WAN.lattice)
    assert part.crop is not None
    boxes = torch.stack(
        [
            frame[top : top + part.crop.size[0], left : left + part.crop.size[1]]
            for frame, (top, left) in zip(edited, part.crop.corners, strict=True)
        ]
    )
    torch.testing.assert_close(part.finished(boxes), whole, atol=1e-6, rtol=0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("finishing")
    write_video(Video(SOURCE, Fraction(8)), folder / "clip.mp4")
    Image.fromarray((MASK[0] * 255).byte().numpy()).save(folder / "mask.png")
    return folder / "clip.mp4", folder / "mask.png"


def test_an_edit_in_a_crop_is_that_of_the_crop_alone(
    files: tuple[Path, Path], models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    clip, mask = files
    out = tmp_path / "x.mp4"
    arguments = ["edit", clip, "make it sepia", "--mask", mask, "--models", models_folder, "--output", out]
    assert main([*map(str, arguments), "--steps", "1", "--crop", "4", "--feather", "2", "--json"]) == DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["frames"], answer["width"], answer["height"]) == (5, 96, 64)
    source = read_video(clip, folder_fps=Fraction(1)).frames
    where = MASK[:1].expand(5, -1, -1)
    part = Finishing(Finish(feather_px=2), 4).part_of(to_floats(source), where, lattice=WAN.lattice)
    assert part.clip.shape[1:3] == (32, 32)
    editor = Editor(replace(recipe("demo"), steps=1), models_folder)
    edited = editor.render(part.clip, "make it sepia", mask=part.mask)
    expected = to_bytes(part.finished(edited)).astype(int)
    written = read_video(out, folder_fps=Fraction(1)).frames
    assert np.abs(written - expected).mean() < 2  # x264 stands between
    assert np.abs(expected - source).max() > 20


@pytest.mark.parametrize("frames", [5, 6])
def test_a_crop_of_a_clip_of_any_size_needs_no_fit(
    frames: int, models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    """A crop is of a legal size itself; a length that cannot be worked on is refused before weights are read."""
    clip, mask, out = tmp_path / "odd.mp4", tmp_path / "mask.png", tmp_path / "x.mp4"
    write_video(Video(moving_square(frames, 58, 90), Fraction(8)), clip)
    Image.fromarray((MASK[0, :58, :90] * 255).byte().numpy()).save(mask)
    run = ["edit", clip, "make it sepia", "--mask", mask, "--models", models_folder, "--output", out]
    code = main([*map(str, run), "--steps", "1", "--crop", "4", "--json"])
    answer = json.loads(capsys.readouterr().out)
    if frames == 6:
        assert (code, out.exists()) == (BAD_INPUT, False)
        assert "6 frames" in answer["error"]
        return
    assert code == DONE
    assert (answer["frames"], answer["width"], answer["height"]) == (5, 90, 58)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--feather", "4"], "feather works on a mask"),
        (["--grow", "4"], "grow works on a mask"),
        (["--crop"], "crop works on a mask"),
        (["--mask", "MASK", "--feather", "-1"], "0 to 512 (--feather)"),
        (["--mask", "MASK", "--grow", "999"], "(--grow)"),
        (["--mask", "MASK", "--blend", "edges"], "such as 8 pixels (--feather)"),
        (["--mask", "MASK", "--crop", "-3"], "(--crop)"),
        (
            ["--mask", "MASK", "--crop", "4", "--size", "32x32"],
            "brought to another by a fit: name one (--fit)",
        ),
        (["--match", "mean", "--match-frames", "nan"], "--match-frames: 'nan' is no number"),
        (["--match", "hue"], "--match"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_sentence(
    options: list[str],
    words: str,
    files: tuple[Path, Path],
    models_folder: Path,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    clip, mask = map(str, files)
    given = [mask if one == "MASK" else one for one in options]
    out = tmp_path / "x.mp4"
    run = ["edit", clip, "make it sepia", "--models", str(models_folder), "--output", str(out), *given]
    assert main(run) == BAD_INPUT
    (line,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("reelpatch:")]
    assert words in line
    assert not out.exists()
