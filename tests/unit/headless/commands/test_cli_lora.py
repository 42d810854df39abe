"""`--lora` on the command line: on top of the recipe's, checked before anything is loaded, told in the answer."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from reelpatch.headless.commands.main import BAD_INPUT, DONE, build_parser, main
from reelpatch.media.video_io import read_video

Captured = pytest.CaptureFixture[str]
_LAYER = "transformer.blocks.1.attn1.to_q"
_DITTO = "vace_blocks.0.cross_attn.o"


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """For the backbone and the edit module of the tiny models, and with a stranger."""
    path = tmp_path / "both.safetensors.safetensors"
    generator = torch.Generator().manual_seed(0)
    state = {
        f"{layer}.{half}.weight": torch.randn(shape, generator=generator)
        for layer in (_LAYER, _DITTO)
        for half, shape in (("lora_A", (4, 128)), ("lora_B", (128, 4)))
    }
    save_file(state | {"lora_te_x.lora_up.weight": torch.zeros(2, 2)}, path)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x.safetensors", ("x.safetensors", (1.0,))),
        ("x.safetensors:0.8", ("x.safetensors", (0.8,))),
        ("x.safetensors:1,0.5,-0.5", ("x.safetensors", (1.0, 0.5, -0.5))),
        (r"C:\loras\x.safetensors", (r"C:\loras\x.safetensors", (1.0,))),
        (r"C:\loras\x.safetensors:2", (r"C:\loras\x.safetensors", (2.0,))),
    ],
)
def test_a_lora_and_its_strengths_are_read(text: str, expected: tuple[str, tuple[float, ...]]) -> None:
    name, strengths = expected
    loras = build_parser().parse_args(["edit", "c.mp4", "x", "--lora", text, "--lora", "y:0.1"]).loras
    assert loras == [(Path(name), strengths), (Path("y"), (0.1,))]


def test_loras_change_the_result_and_are_told(
    capsys: Captured, models_folder: Path, clip_path: Path, tmp_path: Path, lora: Path
) -> None:
    def edit(name: str, *arguments: str) -> tuple[dict[str, Any], bytes]:
        out = tmp_path / name
        common = ["edit", clip_path, "make it sepia", "--models", models_folder, "--output", out, "--json"]
        assert main([*map(str, common), "--steps", "2", *arguments]) == DONE
        return json.loads(capsys.readouterr().out), read_video(out, folder_fps=1).frames.tobytes()

    plain, plain_frames = edit("plain.mp4")
    assert [one["unmatched"] for one in plain["loras"]] == [{}]  # the recipe's own
    beside, frames = edit("beside.mp4", "--lora", f"{lora}:1,0.5")
    assert beside["loras"][1]["file"] == str(lora)
    assert beside["loras"][1]["layers"] == 2
    assert beside["loras"][1]["unmatched"].keys() == {"lora_te_x.lora_up.weight"}
    assert frames != plain_frames
    off, off_frames = edit("off.mp4", "--lora", f"{lora}:0")
    assert off["loras"] == beside["loras"]
    assert off_frames == plain_frames
    merged, merged_frames = edit("merged.mp4", "--lora", str(lora), "--lora-merge")
    assert merged["loras"] == beside["loras"]
    assert merged_frames != plain_frames


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{lora}:strong"], "'strong' is no strength"),
        (["{lora}:nan"], "'nan' is no strength"),
        (["{lora}:1,2,3,4,5,6,7,8,9"], "9 strengths were given for a run of 4 steps"),
        (["{lora}:1,0", "--lora-merge"], "strengths that change from step to step"),
        (["{folder}/none.safetensors"], "none.safetensors can't be read"),
        (["{clip}"], "is not a safetensors file"),
        (["{vae}"], "a LoRA is needed here"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_loaded(
    arguments: list[str],
    message: str,
    capsys: Captured,
    models_folder: Path,
    clip_path: Path,
    tmp_path: Path,
    lora: Path,
) -> None:
    names = {
        "lora": lora,
        "folder": tmp_path,
        "clip": clip_path,
        "vae": next((models_folder / "vae").iterdir()),
    }
    out = tmp_path / "x.mp4"
    common = ["edit", clip_path, "make it sepia", "--models", models_folder, "--output", out, "--lora"]
    assert main([*map(str, common), *(one.format(**names) for one in arguments)]) == BAD_INPUT
    error = capsys.readouterr().err.strip().splitlines()
    assert message in error[-1]
    assert not out.exists()
