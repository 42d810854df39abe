"""`reelpatch enhance`: a clip comes back steadier, and otherwise as it was."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.frames import as_video
from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.runs.request import EnhanceRequest
from reelpatch.headless.runs.settings import enhance_settings
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.recipes import recipe
from reelpatch.sampling.noise import draw_noise
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.sampling.solvers import sample_flow_unipc
from tests.conftest import moving_square
from tests.golden.rounding import depth_of, printed

Captured = pytest.CaptureFixture[str]


def test_a_clip_keeps_size_rate_length_and_gets_other_pixels(
    capsys: Captured, models_folder: Path, tmp_path: Path
) -> None:
    clip, out = tmp_path / "odd.mp4", tmp_path / "x.mp4"
    write_video(Video(moving_square(6, 35, 27), Fraction(30000, 1001)), clip)
    assert main([*map(str, ("enhance", clip, "--models", models_folder, "--out", out, "--json"))]) == DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["recipe"], answer["steps"], answer["frames"]) == ("demo-enhance", 2, 6)
    assert (answer["width"], answer["height"], answer["fps_exact"]) == (27, 35, "30000/1001")
    result, source = (read_video(path, folder_fps=Fraction(1)) for path in (out, clip))
    assert result.frames.shape == source.frames.shape
    assert result.fps == source.fps
    assert not np.array_equal(result.frames, source.frames)


def test_the_run_is_the_published_computation(models_folder: Path) -> None:
    """Encode, add noise at the level of the last 4 of 40 steps, UniPC over those, with the backbone alone."""
    enhancer = Enhancer(enhance_settings(EnhanceRequest(Path("x.mp4"), steps=4)), models_folder)
    frames = to_floats(moving_square(5))
    found = enhancer.denoised(frames, seed=3)
    latents = enhancer.vae.encode(as_video(frames))
    sigmas = make_sigmas("native", 40, shift=12.0)[36:]
    noise = draw_noise((16, 2, 4, 4), 3)
    start = (1 - 0.571156) * latents + 0.571156 * noise
    models = enhancer.transformer()
    assert models.module is None
    denoiser = Denoiser(models.backbone, enhancer.text(""), sigmas)
    expected = sample_flow_unipc(denoiser, start[None], sigmas)[0]
    # The level is printed with six digits; the network is run four times, the encoder once.
    depth = 4 * depth_of(models.backbone) + depth_of(enhancer.vae.model.encoder)
    torch.testing.assert_close(found, expected, atol=printed(expected.abs().max().item(), depth), rtol=0)


def test_more_steps_change_more(models_folder: Path) -> None:
    frames = to_floats(moving_square(5))
    changes = []
    for steps in (1, 4, 14):
        settings = enhance_settings(EnhanceRequest(Path("x.mp4"), steps=steps))
        assert settings.num_run_steps == steps
        enhancer = Enhancer(settings, models_folder)
        latents = enhancer.vae.encode(as_video(frames))
        changes.append(float((enhancer.denoised(frames) - latents).square().mean()))
    assert changes == sorted(changes)
    assert changes[0] > 0


def test_a_caption_and_guidance_are_heard(models_folder: Path) -> None:
    frames = to_floats(moving_square(5))
    plain = Enhancer(recipe("demo-enhance"), models_folder)
    assert not torch.equal(plain.denoised(frames), plain.denoised(frames, "blue circle"))
    guided = enhance_settings(EnhanceRequest(Path("x.mp4"), guidance=3.0))
    strong = Enhancer(guided, models_folder).denoised(frames, "blue circle")
    assert not torch.equal(strong, plain.denoised(frames, "blue circle"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--steps", "0"), r"use 1 to 40 \(--steps\)"),
        (("--steps", "40"), r"nothing of the clip is left: use 1 to 39"),
        (("--recipe", "enhance", "--steps", "15"), r"where the high-noise expert is needed.*use 1 to 14"),
        (("--recipe", "ditto-global"), r"'ditto-global' does not enhance clips"),
        (("--recipe", "enhanc"), r"did you mean enhance"),
        (("--frames", "10"), r"10 frames were asked for, but .* has 9"),
        (("--seed", "-1"), r"the seed is -1"),
        (("--size", "33x32"), r"not a multiple of 16"),
        (("--out", "x.avi"), r"does not end in .mp4"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    options: tuple[str, ...], message: str, capsys: Captured, clip_path: Path, models_folder: Path
) -> None:
    before = sorted(clip_path.parent.iterdir())
    assert main(["enhance", str(clip_path), "--models", str(models_folder), *options, "--json"]) == BAD_INPUT
    error = json.loads(capsys.readouterr().out)["error"]
    with pytest.raises(BadInput, match=message):
        raise BadInput(error)
    assert sorted(clip_path.parent.iterdir()) == before


def test_an_enhancer_is_no_editor(models_folder: Path) -> None:
    with pytest.raises(BadInput, match="run `reelpatch enhance`"):
        Editor(recipe("demo-enhance"), models_folder)
    with pytest.raises(BadInput, match="does not enhance"):
        Enhancer(recipe("demo"), models_folder)
