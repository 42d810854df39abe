"""Edits by the recipe `capybara` from files to files, with tiny weights of HunyuanVideo-1.5's classes; and what is refused."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.streaming import stream_blocks
from reelpatch.media.video_io import read_video
from reelpatch.recipes import recipe
from tests.golden import tiny_hunyuan as tiny

CAPYBARA = replace(recipe("capybara"), steps=2)
CLIP = Path(__file__).parents[4] / "workflows" / "reelpatch_demo_clip.mp4"
TEXTS, QWEN = "text_encoders", "qwen_2.5_vl_7b_fp8_scaled"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_models(tmp_path_factory.mktemp("hunyuan"))


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy, in which a test may change files."""
    return shutil.copytree(folder, tmp_path / "models")


def clip(frames: int = 5) -> torch.Tensor:
    return torch.rand(frames, 32, 48, 3, generator=torch.Generator().manual_seed(0))


def edited(instruction: str, models: Path, steps: int, *more: object) -> int:
    """What `reelpatch edit` of the demo's clip ends with, in so many steps of Capybara."""
    words = ("edit", CLIP, instruction, "--recipe", "capybara", "--models", models, "--steps", steps)
    return main([*map(str, words), "--lossless", *map(str, more)])


def test_a_clip_is_edited_from_file_to_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edited('write "OPEN" on it', folder, 2, "--output", tmp_path / "x.mkv", "--json") == DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["frames"], answer["width"], answer["height"]) == (9, 64, 64)
    assert read_video(tmp_path / "x.mkv", folder_fps=Fraction(1)).frames.shape == (9, 64, 64, 3)


def test_a_long_clip_goes_through_in_windows_and_a_mask_keeps_the_rest(folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    where = np.zeros((64, 64), np.uint8)
    where[:, 32:] = 255
    Image.fromarray(where).save(tmp_path / "mask.png")
    more = ("--mask", tmp_path / "mask.png", "--window-frames", 5, "--output", tmp_path / "x.mkv")
    assert edited("make it night", folder, 1, *more) == DONE
    source, made = (read_video(path, folder_fps=Fraction(1)).frames for path in (CLIP, tmp_path / "x.mkv"))
    assert np.array_equal(source[:, :, :32], made[:, :, :32])
    assert not np.array_equal(source[:, :, 32:], made[:, :, 32:])


def test_a_picture_is_a_clip_of_one_frame_and_seeds_and_texts_matter(folder: Path) -> None:
    editor = Editor(CAPYBARA, folder, dtype="fp32")
    made = editor.render(clip(1), "make it night", seed=1)
    assert made.shape == (1, 32, 48, 3)
    assert torch.equal(made, editor.render(clip(1), "make it night", seed=1))
    assert not torch.equal(made, editor.render(clip(1), "make it night", seed=2))
    assert not torch.equal(made, editor.render(clip(1), "make it day", seed=1))
    assert not torch.equal(made, editor.render(1 - clip(1), "make it night", seed=1))


def test_guidance_is_a_second_pass(folder: Path) -> None:
    guided = Editor(CAPYBARA.guided(4.0), folder, dtype="fp32").render(clip(), "make it night", seed=1)
    assert not torch.equal(
        guided, Editor(CAPYBARA, folder, dtype="fp32").render(clip(), "make it night", seed=1)
    )


def test_streamed_blocks_do_the_same(folder: Path) -> None:
    editor = Editor(CAPYBARA, folder, dtype="fp32")
    whole = editor.render(clip(), "make it night", seed=1)
    held = editor.transformer()
    stream_blocks(held.backbone, editor.family.blocks_of(held.backbone), torch.device("cpu"))
    assert torch.equal(whole, editor.render(clip(), "make it night", seed=1))


def _with_wan_vae(folder: Path) -> None:
    shutil.copy(Editor(recipe("demo")).files.vae, folder / "vae" / "hunyuanvideo15_vae_fp16.safetensors")


def _with_umt5(folder: Path) -> None:
    shutil.copy(Editor(recipe("demo")).files.text_encoder, folder / TEXTS / f"{QWEN}.safetensors")


def _without_tokenizer(folder: Path) -> None:
    shutil.rmtree(folder / TEXTS / QWEN)


def _with_narrow_text(folder: Path) -> None:
    path = folder / TEXTS / f"{QWEN}.safetensors"
    state = load_file(path)
    state["model.embed_tokens.weight"] = state["model.embed_tokens.weight"][:, :128].contiguous()
    save_file(state, path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_with_wan_vae, ("is a Wan2.1 VAE", "a HunyuanVideo-1.5 VAE of 32 channels is needed here")),
        (_with_umt5, ("is a UMT5 text encoder", "a Qwen2.5-VL text encoder is needed here")),
        (_without_tokenizer, ("No tokenizer is beside", "tokenizer.json")),
        (_with_narrow_text, ("whose rows are 128 wide", "reads rows of 256")),
    ],
)
def test_a_wrong_file_gets_a_sentence(own: Path, change, words: tuple[str, ...]) -> None:
    change(own)
    with pytest.raises(BadInput) as told:
        Editor(CAPYBARA, own, dtype="fp32")
    assert all(word in str(told.value) for word in words), told.value


def test_references_are_refused(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    still = CLIP.parent / "reelpatch_demo_subject.png"
    words = ("edit", CLIP, "make it night", "--recipe", "capybara", "--models", folder, "--reference", still)
    assert main([*map(str, words), "--output", str(tmp_path / "x.mp4")]) == BAD_INPUT
    assert "1 references were given, but this method looks at none" in capsys.readouterr().err
