"""A VAE computes in the dtype that was asked for, in every kind of run, and what it makes stays near."""

from pathlib import Path

import pytest
import torch

from reelpatch.errors import BadInput
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.loaded_recipe import LoadedRecipe, MachineOptions
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.headless.runs.identity import request_identity
from reelpatch.headless.runs.request import EditRequest
from reelpatch.measure.likeness import psnr
from reelpatch.recipes import recipe


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Editor, "demo"), (Enhancer, "demo-enhance"), (PictureEditor, "demo-picture")],
)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_every_kind_of_run_takes_it(kind: type[LoadedRecipe], name: str, dtype: torch.dtype) -> None:
    short = {torch.bfloat16: "bf16", torch.float16: "fp16"}[dtype]
    models = kind(recipe(name), machine=MachineOptions(vae_dtype=short))
    assert {weight.dtype for weight in models.vae.model.parameters()} == {dtype}
    assert kind(recipe(name)).vae.model.dtype is torch.float32


def test_an_edit_in_bf16_is_near_the_one_in_fp32() -> None:
    clip = torch.from_numpy(scenes.example(scenes.HELD_OUT).source)[:5]
    made = [
        Editor(recipe("demo"), machine=MachineOptions(vae_dtype=one)).edit(clip, "make it sepia")
        for one in ("fp32", "bf16")
    ]
    assert not torch.equal(*made)
    # bf16 keeps 8 bits of each number: 2**-8 of the whole range is 48 dB; some twenty layers add up a part of it each.
    assert psnr(*made) > 30


def test_it_is_part_of_what_tells_runs_apart(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"a clip")
    found: list[object] = []
    for dtype in ("fp32", "bf16"):
        request = EditRequest(tmp_path / "x.mp4", "make it sepia", vae_dtype=dtype)
        editor = Editor(recipe("demo"), **request.for_runner())
        found.append(request_identity(request, editor, [])["VAE dtype"])
    assert found == ["torch.float32", "torch.bfloat16"]


def test_an_unknown_dtype_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(BadInput, match="the VAE cannot compute in 'int8': use fp32, bf16, fp16"):
        Editor(recipe("demo"), machine=MachineOptions(vae_dtype="int8"))
