"""What a GPU makes of an edit is what the CPU makes of it, whatever of the weights stays on the card.

The shipped demo weights, so that numbers have the sizes of trained ones.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.evaluate import numpy_of
from reelpatch.headless.demo.judge import judge
from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.models import chosen_recipe
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.measure.likeness import psnr
from reelpatch.media.video_io import read_video
from reelpatch.recipes import recipe

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

CLIP = Path(__file__).parents[2] / "workflows" / "reelpatch_demo_clip.mp4"
# Frames of 8 bits are 59 dB off by rounding alone: what is nearer than that is the same clip.
SAME_DB = 59.0


def clip() -> Tensor:
    return to_floats(read_video(CLIP, folder_fps=Fraction(8)).frames)


def by_instruction(device: str, dtype: str) -> Tensor:
    editor = Editor(recipe("demo"), device=device, dtype=dtype)
    return editor.edit(clip(), "make the red circle blue", seed=1)


def in_context(device: str, dtype: str) -> Tensor:
    editor = Editor(recipe("demo-in-context"), device=device, dtype=dtype)
    return editor.edit(clip(), "remove the green square", seed=1)


def enhanced(device: str, dtype: str) -> Tensor:
    return Enhancer(recipe("demo-enhance"), device=device, dtype=dtype).enhance(clip(), seed=1)


def picture(device: str, dtype: str) -> Tensor:
    editor = PictureEditor(recipe("demo-picture-reasoning"), device=device, dtype=dtype)
    return editor.edit(clip()[0], "make the red circle blue", seed=1).film


def shared(device: str, dtype: str) -> Tensor:
    editor = Editor(recipe("demo-shared-attention"), device=device, dtype=dtype)
    caption = "red circle and green square in front of the ocean"
    return editor.edit(clip(), caption.replace("red", "blue"), caption=caption, seed=1)


ALL = (by_instruction, in_context, enhanced, picture, shared)
Edit = Callable[[str, str], Tensor]


@pytest.mark.parametrize("edit", ALL)
def test_the_same_edit_as_on_the_cpu(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    """In fp32 throughout: left alone, a GPU convolves with ten bits of mantissa (TF32), and the VAE is some 1e-3 off."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert psnr(edit("cuda", "fp32"), edit("cpu", "fp32")) >= SAME_DB


@pytest.mark.parametrize("edit", ALL)
def test_streamed_weights_give_the_same_edit(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a card without room for any block; each runs twice, as the first forward finds the order of the layers."""
    expected = edit("cuda", "fp32")
    monkeypatch.setattr(chosen_recipe, "card_bytes", lambda *_: 0)
    found = edit("cuda", "fp32")
    assert torch.equal(found, expected)


def test_streaming_leaves_two_parts_on_the_card_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen_recipe, "card_bytes", lambda *_: 0)
    editor = Editor(recipe("demo"), device="cuda", dtype="fp32")
    editor.edit(clip(), "make the red circle blue")
    editor.prepare(9, (64, 64))
    held = editor.transformer()
    waiting = [p for block in held.backbone.blocks for p in block.attn1.parameters()]
    assert waiting
    assert {p.device.type for p in waiting} == {"cpu"}


@pytest.mark.parametrize("dtype", ["bf16", "fp16", "fp32"])
def test_edits_are_done_in_every_dtype(dtype: str) -> None:
    """Of 16 held-out scenes with one thing as many as the CPU's bars ask: 0.85, less one."""
    editor = Editor(recipe("demo"), device="cuda", dtype=dtype)
    done = 0
    for number in range(16):
        example = scenes.example(scenes.HELD_OUT + number, kind="recolour", mask_kind="none", num_things=1)
        edited = editor.edit(torch.from_numpy(example.source), example.instruction, seed=example.seed)
        done += judge(example, numpy_of(edited)).hit
    assert done >= 12


def test_noise_is_that_of_the_cpu_and_a_run_repeats_itself() -> None:
    one, again = by_instruction("cuda", "bf16"), by_instruction("cuda", "bf16")
    assert psnr(one, again) >= 55  # kernels of a card may add up in another order each time
    assert psnr(one, by_instruction("cpu", "fp32")) >= 45  # 61 dB between these dtypes on a CPU
