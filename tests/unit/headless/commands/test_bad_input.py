"""Whatever a user can get wrong is one clear sentence and exit code 2, and leaves nothing behind."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from reelpatch.headless.commands.main import BAD_INPUT, STOPPED, main
from reelpatch.headless.demo import command as demo
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.out_of_memory import explain_out_of_memory
from reelpatch.headless.models.recipe_files import SHIPPED_MODELS
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import check_output, write_video
from reelpatch.recipes import recipe
from tests.conftest import moving_square
from tests.unit.headless.commands.full_disk import no_larger_files_than

Refused = Callable[..., str]
BACKBONE = "diffusion_models/reelpatch_demo_t2v_bf16.safetensors"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def refused(out: Path, models_folder: Path, clip_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs an edit that has to be refused, and returns why."""

    def run(
        *options: str, clip: Path = clip_path, text: str = "make it sepia", models: Path = models_folder
    ) -> str:
        if "--output" not in options:
            options = (*options, "--output", str(out / "x.mp4"))
        before = {path: path.read_bytes() for path in out.iterdir()}
        code = main(["edit", str(clip), text, "--models", str(models), "--json", *options])
        printed = capsys.readouterr()
        assert code == BAD_INPUT, printed.err
        answer = json.loads(printed.out)
        assert list(answer) == ["error"]
        assert "Traceback" not in printed.err
        assert {path: path.read_bytes() for path in out.iterdir()} == before
        sentence = answer["error"]
        assert "\n" not in sentence
        assert sentence.endswith((".", "?"))
        return sentence

    return run


def copied(models: Path, folder: Path) -> Path:
    return Path(shutil.copytree(models, folder / "models"))


def test_a_missing_clip(refused: Refused, tmp_path: Path) -> None:
    assert "there is no clip" in refused(clip=tmp_path / "none.mp4")


@pytest.mark.parametrize("option", ["--output", "--mask", "--models", "--seed"])
def test_a_value_that_begins_with_a_dash(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edit", "clip.mp4", "make it sepia", option, "-x.mp4"]) == BAD_INPUT
    said = capsys.readouterr().err
    assert said.endswith(
        f"no value stands after {option}: give one; a name that begins with a dash is written ./-NAME, any other value "
        f"{option}=-VALUE.\n"
    )


def test_a_clip_that_begins_with_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edit", "clip.mp4", "make it sepia", "-x.mp4"]) == BAD_INPUT
    assert "there is no option -x.mp4" in capsys.readouterr().err
    assert main(["edit", "clip.mp4", "make it sepia", "--output=-x.gif"]) == BAD_INPUT
    assert "the output -x.gif does not end in" in capsys.readouterr().err


def test_an_unreadable_clip(refused: Refused, tmp_path: Path) -> None:
    clip = tmp_path / "x.mp4"
    clip.write_text("this is a letter, not a video. " * 50)
    assert "cannot be read as video" in refused(clip=clip)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_truncated_clip(refused: Refused, tmp_path: Path, suffix: str, part: float) -> None:
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    frames = np.random.default_rng(0).integers(0, 256, (41, 64, 64, 3)).astype(np.uint8)
    options = {"movflags": "faststart"} if suffix == ".mp4" else {}
    with av.open(whole, "w", options=options) as output:
        stream = output.add_stream("libvpx-vp9" if suffix == ".webm" else "libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for image in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        output.mux(stream.encode(None))
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * part)])
    assert "cut short" in refused(clip=cut)


def test_a_clip_without_a_frame(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    assert "holds no frames" in refused(clip=folder)


def test_sound_alone(refused: Refused, tmp_path: Path) -> None:
    clip = tmp_path / "x.mp4"
    with av.open(clip, "w") as output:
        stream = output.add_stream("aac", rate=48000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        samples.sample_rate = 48000
        output.mux(stream.encode(samples))
        output.mux(stream.encode(None))
    assert "no video stream" in refused(clip=clip)


def test_a_folder_of_mixed_sizes(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, side in enumerate((32, 32, 48)):
        Image.new("RGB", (side, side)).save(folder / f"{index}.png")
    sentence = refused(clip=folder)
    assert "2.png is 48x48" in sentence
    assert "0.png is 32x32" in sentence


def test_a_mask_of_the_wrong_length(refused: Refused, tmp_path: Path) -> None:
    mask = tmp_path / "mask.mp4"
    write_video(Video(moving_square(5), Fraction(8)), mask)
    assert "5 frames but the clip has 9" in refused("--mask", str(mask))


def test_a_mask_of_the_wrong_size(refused: Refused, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    Image.new("L", (48, 64)).save(mask)
    assert "the mask is 48x64 but the clip is 32x32" in refused("--mask", str(mask))


def test_a_reference_that_is_no_picture(refused: Refused, clip_path: Path) -> None:
    sentence = refused("--reference", str(clip_path))
    assert "cannot be read" in sentence
    assert sentence.endswith("(--reference).")


def test_a_file_in_place_of_a_folder(
    refused: Refused, clip_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is a file" in refused(models=clip_path)
    before = clip_path.read_bytes()
    assert main(["demo", "--out", str(clip_path)]) == BAD_INPUT
    assert "is a file, but the demo makes several" in capsys.readouterr().err
    assert clip_path.read_bytes() == before


def test_a_stopped_demo_says_where_its_files_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_demo", stopped)
    assert main(["demo", "--out", str(tmp_path / "demo")]) == STOPPED
    assert f"what is finished lies in {tmp_path / 'demo'}" in capsys.readouterr().err


def test_a_device_in_place_of_a_clip(refused: Refused) -> None:
    assert "/dev/null is a device, not a file" in refused(clip=Path("/dev/null"))


def test_a_damaged_reference(refused: Refused, tmp_path: Path) -> None:
    reference = tmp_path / "x.png"
    reference.write_bytes(b"\x89PNG....")
    assert "cannot be read" in refused("--reference", str(reference))


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_instruction(refused: Refused, text: str) -> None:
    assert "the instruction is empty" in refused(text=text)


@pytest.mark.parametrize("options", [(), ("--window-frames", "5", "--overlap", "1")])
@pytest.mark.parametrize(
    ("text", "word"), [("make the circle a dragon", "'dragon'"), ("把圆形变成蓝色", "'把圆形变成蓝色'")]
)
def test_words_that_the_demo_does_not_know(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, text: str, word: str, options: tuple[str, ...]
) -> None:
    """Found before any weights are read."""
    monkeypatch.setattr("reelpatch.headless.models.embedded_texts.load_text_encoder", None)
    sentence = refused(*options, text=text, models=SHIPPED_MODELS)
    assert sentence.startswith("the demo does not know ")
    assert word in sentence
    assert "it knows a, and, background, black, blue" in sentence


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", "50x32"), ("50x32", "48x32")),
        (("--frames", "7"), ("use 5 or 9", "--fit")),
        (("--frames", "13"), ("has 9", "--frames")),
        (("--when", "4-12"), ("4-12", "0 and 8")),
        (("--times-in-result",), ("neither a mask nor a time range", "leave this out")),
        (
            ("--times-in-result", "--when", "5-8", "--recipe", "demo-shared-attention"),
            ("demo-shared-attention", "before a start", "leave this out"),
        ),
        (("--steps", "0"), ("at least 1",)),
        (("--guidance", "nan"), ("--guidance",)),
        (("--strength", "-1"), ("--strength",)),
        (("--window", "0.8,0.2"), ("--window",)),
        (("--skip-hints",), ("'demo' skips no block", "--skip-hints")),
        (("--seed", "-3"), ("--seed",)),
        (("--device", "abacus"), ("--device", "abacus")),
        (("--dtype", "int3"), ("--dtype", "bf16")),
        (("--vae-dtype", "fp8"), ("--vae-dtype", "bf16")),
        (("--size", "big"), ("WIDTHxHEIGHT",)),
        (("--no-such-option",), ("--no-such-option", "--help")),
        (("and", "blue"), ("nothing takes 'and blue'", "in quotes")),
        (("--frames", "-4"), ("-4 frames", "--frames")),
    ],
)
def test_an_option_that_is_not_possible(
    refused: Refused, options: Sequence[str], words: Sequence[str]
) -> None:
    sentence = refused(*options)
    assert all(word in sentence for word in words), sentence


def test_a_clip_that_is_not_legal_is_offered_the_nearest(refused: Refused, tmp_path: Path) -> None:
    clip = tmp_path / "x.mp4"
    write_video(Video(moving_square(10, 38, 40), Fraction(8)), clip)
    sentence = refused(clip=clip)
    assert "48x48" in sentence
    assert "13 frames" in sentence
    assert "--fit" in sentence


def test_an_unknown_recipe(refused: Refused) -> None:
    assert "did you mean ditto-global" in refused("--recipe", "dito-global")


def test_missing_weights(refused: Refused, models_folder: Path, tmp_path: Path) -> None:
    sentence = refused("--recipe", "ditto-global")
    assert "Wan2_1-T2V-14B_fp8_e4m3fn.safetensors" in sentence
    assert str(models_folder / "diffusion_models") in sentence
    assert "https://huggingface.co/Kijai" in sentence
    assert "does not exist" in refused(models=tmp_path / "nowhere")


def test_nan_weights(refused: Refused, models_folder: Path, tmp_path: Path) -> None:
    models = copied(models_folder, tmp_path)
    weights = load_file(models / BACKBONE)
    weights["blocks.1.ffn.0.weight"][3, 4] = torch.nan
    save_file(weights, models / BACKBONE)
    sentence = refused(models=models)
    assert "NaN" in sentence
    assert "blocks.1.ffn.0.weight" in sentence


def test_latents_that_become_nan(refused: Refused, models_folder: Path, tmp_path: Path) -> None:
    models = copied(models_folder, tmp_path)
    weights = load_file(models / BACKBONE)
    weights["head.head.weight"] = torch.full_like(weights["head.head.weight"], 1e38)
    save_file(weights, models / BACKBONE)
    assert "step 1 of 4" in refused(models=models)


def test_a_weight_file_of_another_kind(refused: Refused, models_folder: Path, tmp_path: Path) -> None:
    models = copied(models_folder, tmp_path)
    shutil.copy(models / "vae/reelpatch_demo_vae.safetensors", models / BACKBONE)
    assert "is a Wan2.1 VAE" in refused(models=models)


@pytest.mark.parametrize("room", [0, 1500])
def test_a_full_disk(refused: Refused, tmp_path: Path, room: int) -> None:
    clip = tmp_path / "noise.mp4"
    frames = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3)).astype(np.uint8)
    write_video(Video(frames, Fraction(8)), clip)
    with no_larger_files_than(room):
        sentence = refused(clip=clip)
    assert "no room left" in sentence


def test_the_disk_fills_up_at_any_point(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3)).astype(np.uint8)
    write_video(Video(frames, Fraction(8)), tmp_path / "whole.mp4")
    size = (tmp_path / "whole.mp4").stat().st_size
    for room in range(0, size, 1 + size // 20):
        with pytest.raises(ValueError, match="no room left"), no_larger_files_than(room):
            write_video(Video(frames, Fraction(8)), tmp_path / "x.mp4")
        assert [path.name for path in tmp_path.iterdir()] == ["whole.mp4"]


def test_the_output_is_the_clip(refused: Refused, out: Path, clip_path: Path) -> None:
    clip = out / "clip.mp4"
    shutil.copy(clip_path, clip)
    assert "never overwritten" in refused("--output", str(clip), clip=clip)
    assert "never overwritten" in refused("--output", str(out / ".." / "results" / "clip.mp4"), clip=clip)


@pytest.mark.parametrize(
    ("name", "words"),
    [("x.avi", ".mp4"), ("none/x.mp4", "does not exist"), ("x.mkv.gz", ".mkv"), ("none/x", "does not exist")],
)
def test_an_output_that_cannot_be(refused: Refused, out: Path, name: str, words: str) -> None:
    assert words in refused("--output", str(out / name))


def test_an_output_that_is_a_folder(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "folder.mp4"
    folder.mkdir()
    assert "is a folder" in refused("--output", str(folder))


def test_an_output_folder_that_is_taken(refused: Refused, tmp_path: Path, clip_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "0.png")
    assert "has files in it" in refused("--output", str(folder))
    shutil.copy(clip_path, tmp_path / "clip")
    assert "is a file" in refused("--output", str(tmp_path / "clip"))
    assert "never overwritten" in refused("--output", str(folder), clip=folder)


def test_no_write_permission() -> None:
    # Outside of pytest's own folders, which others than their owner may not enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # nobody; the superuser may write anywhere
        try:
            with pytest.raises(PermissionError):
                (Path(folder) / "probe").touch()
            with pytest.raises(ValueError, match=os.strerror(errno.EACCES)):
                check_output(Path(folder) / "x.mp4")
        finally:
            os.seteuid(user)


def test_memory_that_ends() -> None:
    cpu = torch.device("cpu")
    with pytest.raises(ValueError, match="lower --size or --frames"), explain_out_of_memory(cpu):
        torch.empty(2**50, dtype=torch.uint8)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_device_memory_that_ends(models_folder: Path) -> None:
    editor = Editor(recipe("demo"), models_folder, device="cuda")
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        with pytest.raises(ValueError, match="the memory of cuda is not enough"):
            editor.edit(torch.zeros(41, 1024, 1024, 3), "make it sepia")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
