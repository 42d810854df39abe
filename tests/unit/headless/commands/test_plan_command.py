"""`reelpatch plan` answers at once, from nothing but sizes, and says in one sentence what it cannot plan."""

import json
import re
import subprocess
import sys
from fractions import Fraction
from math import prod
from pathlib import Path

import pytest
from PIL import Image

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.models import this_machine
from reelpatch.headless.runs.cut_clip import cut_clip
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video
from reelpatch.recipes import recipe
from tests.conftest import moving_square
from tests.unit.weights.fixtures.files import anonymous_bytes, kijai, plain, write
from tests.unit.weights.fixtures.models import t2v_14b, vace_module_14b

Captured = pytest.CaptureFixture[str]
DITTO = (
    "plan",
    "--recipe",
    "ditto-global",
    "--size",
    "832x480",
    "--frames",
    "73",
    "--vram",
    "12",
    "--ram",
    "32",
)


def run(capsys: Captured, *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == DONE
    return json.loads(capsys.readouterr().out)


def test_the_answer_as_one_json_object(capsys: Captured) -> None:
    answer = run(capsys, *DITTO)
    assert (answer["tokens"], answer["forwards"], answer["sizes_from_files"]) == (29640, 8, [])
    stated, here = answer["machines"]
    assert (stated["vram_gib"], stated["ram_gib"], stated["fits"]) == (12, 32, True)
    assert stated["offloaded"]["blocks"] > 0
    assert {stage["stage"] for stage in stated["stages"]} == {"text", "encode", "step", "decode"}
    assert set(stated["seconds"]) == {"H200", "RTX 4090", "RTX 3090", "RTX A6000"}
    assert here["machine"] == "this machine"
    assert "FLOPs" in answer["counted"]
    assert "times" in answer["estimated"]


def test_the_answer_as_a_table(capsys: Captured) -> None:
    assert main(list(DITTO)) == DONE
    text = capsys.readouterr().out
    for words in ("29,640", "1,745.7 TFLOP", "RTX 4090", "over PCIe", "Counted:", "Estimated:"):
        assert words in text
    assert max(map(len, text.splitlines())) < 250


def test_the_verdict_stands_first_and_is_that_of_the_table(capsys: Captured) -> None:
    """How much of how much, and what is streamed, before any reason; where it does not fit, by how much."""
    where = ("--card", "rtx 4090", "--vram", "12", "--ram", "32")
    answer = run(capsys, "plan", "--recipe", "ditto-global", *where)["machines"][0]
    assert main(["plan", "--recipe", "ditto-global", *where]) == DONE
    first = capsys.readouterr().out.splitlines()[0]
    peak = max(stage["total_gib"] for stage in answer["stages"])
    streamed, blocks = answer["offloaded"]["blocks"], answer["offloaded"]["of_blocks"]
    assert first.startswith(
        f"fits: {peak:.1f} of 12 GiB of VRAM, {streamed} of {blocks} blocks streamed, ~"
    ), first
    assert first.endswith("min (RTX 4090)")
    assert main(["plan", "--recipe", "ditto-global", "--vram", "2", "--ram", "32"]) == DONE
    assert re.match(r"DOES NOT FIT: needs [\d.]+ GiB of 2.0 GiB VRAM", capsys.readouterr().out)


def test_nothing_heavy_is_loaded() -> None:
    code = (
        f"import sys; from reelpatch.headless.commands.main import main; assert main({list(DITTO)!r}) == 0; "
        "heavy = {'torch', 'diffusers', 'transformers', 'av'} & set(sys.modules); sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_clip_gives_size_and_length(capsys: Captured, clip_path: Path) -> None:
    answer = run(capsys, "plan", clip_path)
    assert answer["clip"] == {"frames": 9, "width": 32, "height": 32, "references": 0}


def test_a_long_clip_is_planned_in_the_windows_that_edit_works_on(capsys: Captured, tmp_path: Path) -> None:
    clip = tmp_path / "long.mp4"
    write_video(Video(moving_square(29, 16, 16), Fraction(8)), clip)
    window, *others = cut_clip(EditRequest(clip, "make it sepia"), recipe("demo")).plan.windows
    assert others
    answer = run(capsys, "plan", clip)
    assert (answer["clip"]["frames"], answer["windows"]) == (window.frames, 1 + len(others))
    assert main(["plan", str(clip)]) == DONE
    assert re.search(rf"windows +{1 + len(others)} of so many frames", capsys.readouterr().out)
    answer = run(capsys, "plan", clip, "--frames", 29)
    assert (answer["clip"]["frames"], answer["windows"]) == (29, 1)


@pytest.mark.parametrize(
    ("options", "width", "height"),
    [
        (("--fit", "pad", "--size", "64x48"), 64, 48),
        (("--fit", "--size", "64x48"), 64, 48),
        (("--fit", "area", "--size", "64x48"), 48, 48),  # of a square, as is the clip
        (("--fit", "area"), 64, 64),  # what the recipe was made for
        (("--fit",), 32, 32),
    ],
)
def test_a_fitted_clip_has_the_size_that_edit_works_on(
    capsys: Captured, clip_path: Path, options: tuple[str, ...], width: int, height: int
) -> None:
    answer = run(capsys, "plan", clip_path, "--frames", 6, *options)
    assert answer["clip"] == {"frames": 9, "width": width, "height": height, "references": 0}


def test_files_that_are_there_count_with_their_own_sizes(capsys: Captured, models_folder: Path) -> None:
    answer = run(capsys, "plan", "--models", models_folder)
    assert {"backbone", "module", "vae", "text_encoder"} <= set(answer["sizes_from_files"])
    assert answer["parameters"]["backbone"] != 14_288_491_584


def test_one_card_by_name_brings_its_memory(capsys: Captured) -> None:
    stated = run(capsys, "plan", "--recipe", "vace", "--card", "rtx 4090")["machines"][0]
    assert (stated["card"], stated["vram_gib"], list(stated["seconds"])) == ("RTX 4090", 24, ["RTX 4090"])


def test_the_card_of_this_machine_is_what_the_driver_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 'NVIDIA GeForce RTX 4090, 24564'\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    machine = this_machine.this_machine()
    assert (machine.card, machine.vram) == ("NVIDIA GeForce RTX 4090", 24564 * 2**20)
    driver.write_text("#!/bin/sh\necho 'no devices were found'; exit 6\n")
    assert this_machine.this_machine().vram is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--recipe", "dito-global"], "ditto-global"),
        (["--size", "832"], "WIDTHxHEIGHT"),
        (["--size", "830x480"], "832x480"),
        (["--frames", "74"], "73 or 77"),
        (["--vram", "0"], "--vram"),
        (["--ram", "nan"], "--ram"),
        (["--card", "Voodoo 2"], "RTX 4090"),
        (["--dtype", "int3"], "--dtype"),
        (["--vae-dtype", "fp8"], "--vae-dtype"),
        (["--offload", "away"], "--offload"),
        (["--references", "-1"], "--references"),
        (["--edits", "0"], "--edits"),
        (["--steps", "0"], "--steps"),
        (["--models", "nowhere"], "nowhere"),
        (["nothing.mp4"], "nothing.mp4"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(capsys: Captured, arguments: list[str], words: str) -> None:
    assert main(["plan", *arguments, "--json"]) == BAD_INPUT
    shown = capsys.readouterr()
    assert words in json.loads(shown.out)["error"]
    assert shown.err.count("\n") == 1


def test_files_of_full_size_are_planned_for_unread(capsys: Captured, tmp_path: Path) -> None:
    folder = tmp_path / "diffusion_models"
    folder.mkdir()
    shapes = t2v_14b()
    write(folder / "Wan2_1-T2V-14B_fp8_e4m3fn.safetensors", kijai(shapes, "F8_E4M3"))
    write(folder / "ditto_global_comfy.safetensors", plain(vace_module_14b(), "BF16"))
    run(capsys, *DITTO)  # what the first plan of a process loads is not counted
    before = anonymous_bytes()
    answer = run(capsys, *DITTO, "--models", tmp_path)
    assert set(answer["sizes_from_files"]) == {"backbone", "module"}
    assert answer["parameters"]["backbone"] == sum(map(prod, shapes.values()))
    assert anonymous_bytes() - before < 100e6


def test_a_picture_is_planned_in_its_own_shape(capsys: Captured, tmp_path: Path) -> None:
    Image.new("RGB", (3000, 3000)).save(tmp_path / "x.png")
    answer = run(capsys, "plan", tmp_path / "x.png", "--recipe", "chronoedit", "--reasoning-steps", "5")
    assert (answer["clip"]["width"], answer["clip"]["height"], answer["clip"]["frames"]) == (960, 960, 29)
    assert [one["steps"] for one in answer["reasoning"]] == [0, 5, 10, 20, 50]
    assert run(capsys, *DITTO)["reasoning"] == []


def test_reasoning_is_for_pictures(capsys: Captured) -> None:
    assert main([*DITTO, "--reasoning-steps", "5", "--json"]) == BAD_INPUT
    assert "'ditto-global' edits no single pictures" in json.loads(capsys.readouterr().out)["error"]
