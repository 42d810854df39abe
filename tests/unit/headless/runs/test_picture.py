"""`reelpatch picture` from file to file, on tiny weights in the true formats, under the names that people have."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from torch import Tensor

from reelpatch.families.wan.names import diffusers_to_native, native_to_diffusers
from reelpatch.headless.commands.main import BAD_INPUT, DONE, STOPPED, main
from reelpatch.headless.picture_editor import EditedPicture, PictureEditor
from reelpatch.media.video_io import read_video
from reelpatch.recipes import recipe
from tests.golden import tiny_pictures
from tests.tiny_models import WORDS

Captured = pytest.CaptureFixture[str]
AREA = ("--size", "32x32")
FEW = (*AREA, "--steps", "2")


@pytest.fixture(scope="module")
def models(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of all recipes for pictures; VAE and text encoder are the demo's tiny ones."""
    return write_models(tmp_path_factory.mktemp("picture_models"), models_folder)


def write_models(folder: Path, models_folder: Path) -> Path:
    (folder / "vae").symlink_to(models_folder / "vae")
    (folder / "text_encoders").mkdir()
    write_text_encoder(next((models_folder / "text_encoders").iterdir()), folder / "text_encoders")
    made = tiny_pictures.backbone(
        num_attention_heads=1, attention_head_dim=128, text_dim=4096, freq_dim=256
    ).state_dict()
    backbone = {diffusers_to_native(key): tensor.half() for key, tensor in made.items()}
    encoder = tiny_pictures.picture_encoder().state_dict()
    files = {
        recipe("chronoedit").files_for("backbone")[0]: backbone,
        recipe("chronoedit").files_for("clip_vision")[0]: {
            f"vision_model.{name.removeprefix('vision_model.')}": tensor.half()
            for name, tensor in encoder.items()
        },
    }
    for name in ("chronoedit-paint", "chronoedit-upscale"):
        for file in recipe(name).files_for("lora"):
            files[file] = lora(backbone, in_diffusers_names="diffusers" in file.names[0])
    for file, state in files.items():
        (folder / file.folder).mkdir(exist_ok=True)
        save_file(
            {key: tensor.contiguous() for key, tensor in state.items()}, folder / file.folder / file.names[0]
        )
    return folder


def write_text_encoder(tiny: Path, folder: Path) -> None:
    """The demo's tiny one, with a tokenizer that takes any word, as the real one's does: most are unknown to it."""
    with safe_open(tiny, framework="pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 -- it is no mapping
    tokenizer = Tokenizer(WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    save_file(state, folder / "umt5_xxl_fp16.safetensors", {"tokenizer_json": tokenizer.to_str()})


def lora(backbone: dict[str, Tensor], *, in_diffusers_names: bool) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for layer in ("blocks.0.self_attn.q", "blocks.1.cross_attn.k_img", "blocks.1.ffn.0"):
        rows, columns = backbone[f"{layer}.weight"].shape
        key = (
            f"transformer.{native_to_diffusers(layer)}" if in_diffusers_names else f"diffusion_model.{layer}"
        )
        generator = torch.Generator().manual_seed(rows)
        state[f"{key}.lora_A.weight"] = torch.randn(2, columns, generator=generator) / 10
        state[f"{key}.lora_B.weight"] = torch.randn(rows, 2, generator=generator) / 10
    return state


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 46, 3), np.uint8)).save(path)
    return path


def run(capsys: Captured, models: Path, *arguments: object) -> tuple[dict, str]:
    code = main(["picture", *map(str, arguments), "--models", str(models), "--json", "--device", "cpu"])
    said = capsys.readouterr()
    assert code == DONE, said.err
    return json.loads(said.out), said.err


def refused(capsys: Captured, models: Path, *arguments: object) -> str:
    before = sorted(models.parent.rglob("*"))
    assert main(["picture", *map(str, arguments), "--models", str(models), "--json"]) == BAD_INPUT
    assert sorted(models.parent.rglob("*")) == before
    return json.loads(capsys.readouterr().out)["error"]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_picture_comes_back_edited_at_its_own_size(
    capsys: Captured, models: Path, picture: Path, tmp_path: Path
) -> None:
    answer, said = run(capsys, models, picture, "make it red", *FEW)
    output = tmp_path / "cat_edited.png"
    assert answer["output"] == str(output)
    assert answer["pictures"] == [
        {"picture": str(picture), "seed": 0, "output": str(output), "width": 46, "height": 30}
    ]
    assert (answer["recipe"], answer["steps"], answer["reasoning_steps"]) == ("chronoedit-8step", 2, 0)
    assert [report["unmatched"] for report in answer["loras"]] == [{}]
    assert "The picture (46x30) is worked on at 32x16, all of it, and given back at its own size." in said
    made = pixels(output)
    assert made.shape == (30, 46, 3)
    assert not np.array_equal(made, pixels(picture))
    again, other = tmp_path / "again.png", tmp_path / "other.png"
    run(capsys, models, picture, "make it red", *FEW, "--output", again)
    run(capsys, models, picture, "make it red", *FEW, "--output", other, "--seed", 1)
    assert np.array_equal(pixels(again), made)
    assert not np.array_equal(pixels(other), made)


def odd_pictures(folder: Path) -> dict[str, tuple[int, int]]:
    """Writes pictures of every odd kind; their names, and the (height, width) that people see."""
    folder.mkdir()
    colours = np.random.default_rng(1).integers(0, 256, (12, 20, 3), np.uint8)
    image = Image.fromarray(colours)
    Image.fromarray(colours[:1, :1]).save(folder / "dot.png")
    Image.fromarray(colours[:5, :7]).save(folder / "small.png")
    image.resize((8000, 100), Image.Resampling.NEAREST).save(folder / "strip.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    image.save(folder / "turned.jpg", exif=turned)
    image.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(colours[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    image.convert("P").save(folder / "palette.png")
    image.convert("L").convert("1").save(folder / "bits.bmp")
    clear = image.convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.arange(20, dtype=np.uint8) * 13, (12, 1))))
    clear.save(folder / "clear.png")
    image.save(folder / "moving.webp", save_all=True, append_images=[image.rotate(180)], lossless=True)
    sizes = {"dot.png": (1, 1), "small.png": (5, 7), "strip.png": (100, 8000), "turned.jpg": (20, 12)}
    others = ("cmyk.jpg", "deep.png", "palette.png", "bits.bmp", "clear.png", "moving.webp")
    return sizes | dict.fromkeys(others, (12, 20))


def test_a_folder_of_odd_pictures_comes_back_whole_with_a_sheet(
    capsys: Captured, models: Path, tmp_path: Path
) -> None:
    sizes = odd_pictures(tmp_path / "odd")
    answer, said = run(capsys, models, tmp_path / "odd", "make it red", *AREA, "--steps", 1)
    folder = tmp_path / "odd_edited"
    assert answer["output"] == str(folder)
    found = {Path(one["picture"]).name: (one["height"], one["width"]) for one in answer["pictures"]}
    assert found == sizes
    for one in answer["pictures"]:
        assert pixels(Path(one["output"])).shape == (one["height"], one["width"], 3)
    assert answer["contact_sheet"] == str(folder / "contact_sheet.png")
    assert len(list(folder.iterdir())) == len(sizes) + 1
    assert "moving.webp has 2 frames or pages: the first of them is edited." in said
    assert "clear.png has transparent parts: they are laid on white, and the result is opaque." in said


def test_seeds_make_several_results(capsys: Captured, models: Path, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "seeds"
    answer, _ = run(capsys, models, picture, "make it red", *FEW, "--seed", 4, "--seeds", 3, "--output", out)
    assert [one["seed"] for one in answer["pictures"]] == [4, 5, 6]
    names = [f"cat_png_seed{seed}_edited.png" for seed in (4, 5, 6)]
    assert sorted(path.name for path in out.iterdir()) == [*names, "contact_sheet.png"]
    made = [pixels(out / name) for name in names]
    assert not np.array_equal(made[0], made[1])
    single = tmp_path / "single.png"
    run(capsys, models, picture, "make it red", *FEW, "--seed", 5, "--output", single)
    assert np.array_equal(pixels(single), made[1])


def test_a_run_of_several_goes_on_where_it_was_stopped(
    capsys: Captured, models: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit, made = PictureEditor.edit, list[int]()

    def stopped(self: PictureEditor, *args: Any, seed: int, **options: Any) -> EditedPicture:
        if made == [4, 5]:
            raise KeyboardInterrupt
        made.append(seed)
        return edit(self, *args, seed=seed, **options)

    out, again = tmp_path / "out", tmp_path / "again"
    command = [
        "picture",
        str(picture),
        "make it red",
        *FEW,
        "--seed",
        "4",
        "--seeds",
        "3",
        "--models",
        str(models),
    ]
    with monkeypatch.context() as patched:
        patched.setattr(PictureEditor, "edit", stopped)
        assert main([*command, "--output", str(out)]) == STOPPED
        assert "2 of 3 pictures are finished and kept in" in capsys.readouterr().err
        assert not out.exists()
        made[:] = [0]
        assert main([*command, "--output", str(out)]) == DONE
        assert made == [0, 6]
    assert main([*command, "--output", str(again)]) == DONE
    files = sorted(again.iterdir())
    assert len(files) == 4
    assert [path.name for path in sorted(out.iterdir())] == [path.name for path in files]
    assert all((out / path.name).read_bytes() == path.read_bytes() for path in files)
    assert {path.name for path in tmp_path.iterdir()} == {"cat.png", "out", "again"}


def test_pixels_outside_a_mask_are_kept_bit_for_bit(
    capsys: Captured, models: Path, picture: Path, tmp_path: Path
) -> None:
    mask = np.zeros((30, 46), np.uint8)
    mask[8:20, 10:30] = 255
    path = tmp_path / "mask.png"
    Image.fromarray(mask).save(path)
    for crop in ((), ("--crop", 4)):
        out = tmp_path / f"masked{len(crop)}.png"
        run(capsys, models, picture, "make it red", *FEW, "--mask", path, "--output", out, *crop)
        made, source = pixels(out), pixels(picture)
        assert np.array_equal(made[mask == 0], source[mask == 0])
        assert not np.array_equal(made[mask > 0], source[mask > 0])


def test_the_reasoning_film_ends_in_the_result_and_the_distilled_lora_is_warned_of(
    capsys: Captured, models: Path, tmp_path: Path
) -> None:
    source, film = tmp_path / "square.png", tmp_path / "film.mkv"
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)).save(source)
    reasoning = ("--reasoning-steps", 2, "--reasoning-film", film)
    answer, said = run(capsys, models, source, "make it red", *FEW, *reasoning)
    assert (answer["reasoning_film"], answer["reasoning_steps"]) == (str(film), 2)
    assert "2 of them with reasoning" in said
    assert "warning: The distilled LoRA was made for pictures without frames between them" in said
    frames = read_video(film, folder_fps=Fraction(8)).frames
    assert frames.shape == (29, 32, 32, 3)
    assert np.array_equal(frames[-1], pixels(Path(answer["output"])))


def test_reasoning_that_is_dropped_changes_the_edit(
    capsys: Captured, models: Path, picture: Path, tmp_path: Path
) -> None:
    made: list[np.ndarray] = []
    for steps in (1, 2):
        out = tmp_path / f"{steps}.png"
        run(
            capsys,
            models,
            picture,
            "make it red",
            *FEW,
            "--recipe",
            "chronoedit",
            "--reasoning-steps",
            steps,
            "--output",
            out,
        )
        made.append(pixels(out))
    assert not np.array_equal(made[0], made[1])


def test_the_upscaler_gives_the_picture_back_larger(capsys: Captured, models: Path, picture: Path) -> None:
    answer, said = run(
        capsys, models, picture, "--recipe", "chronoedit-upscale", "--size", "96x64", "--steps", 1
    )
    assert (answer["pictures"][0]["width"], answer["pictures"][0]["height"]) == (96, 48)
    assert [report["unmatched"] for report in answer["loras"]] == [{}]
    assert "is brought to 96x48, all of it, and given back so." in said
    wrong = ("--recipe", "chronoedit-upscale", "--size", "96x64", "--output", picture.with_name("x.png"))
    assert "has an instruction of its own" in refused(capsys, models, picture, "make it red", *wrong)
    assert "more than it would be brought to (32x16)" in refused(
        capsys,
        models,
        picture,
        "--recipe",
        "chronoedit-upscale",
        *AREA,
        "--output",
        picture.with_name("x.png"),
    )


def test_the_paint_brush_takes_both_its_loras(capsys: Captured, models: Path, picture: Path) -> None:
    answer, _ = run(capsys, models, picture, "circle", "--recipe", "chronoedit-paint", *FEW)
    assert [Path(report["file"]).name for report in answer["loras"]] == [
        "paintbrush_lora_diffusers.safetensors",
        "chronoedit_distill_lora.safetensors",
    ]
    assert all(report["layers"] == 3 and not report["unmatched"] for report in answer["loras"])


REFUSALS: dict[str, tuple[Callable[[Path], tuple[object, ...]], str]] = {
    "no instruction": (lambda p: (p,), "the instruction is empty: say what is to change"),
    "nothing to paint": (lambda p: (p, "--recipe", "chronoedit-paint"), "name what the sketch is to become"),
    "a recipe for clips": (lambda p: (p, "x", "--recipe", "demo"), "'demo' edits no single pictures"),
    "no picture": (lambda p: (p.with_name("none.png"), "x"), "check the path"),
    "the picture itself": (lambda p: (p, "x", "--output", p), "is the picture itself, which is never overwritten"),
    "another suffix": (lambda p: (p, "x", "--output", p.with_name("x.jpg")), "does not end in .png"),
    "one name for several": (lambda p: (p, "x", "--seeds", 2, "--output", p.with_name("x.png")), "name a folder"),
    "no seeds": (lambda p: (p, "x", "--seeds", 0), "0 results were asked for: use 1 to 1000"),
    "too much reasoning": (lambda p: (p, "x", "--reasoning-steps", 9), "but the run has 8"),
    "a film of nothing": (lambda p: (p, "x", "--reasoning-film", p.with_name("x.mp4")), "never imagined"),
    "a film that is dropped": (
        lambda p: (p, "x", "--reasoning-steps", 3, "--reasoning-film", p.with_name("x.mp4")),
        r"dropped at step 3 of 8, so that there is no film of them: keep them to the end (--reasoning-steps 8)",
    ),
    "a film of several": (
        lambda p: (p, "x", "--reasoning-steps", 8, "--seeds", 2, "--reasoning-film", p.with_name("x.mp4")),
        "--reasoning-film is the film of one result",
    ),
    "a mask where all grows": (
        lambda p: (p, "--recipe", "chronoedit-upscale", "--mask", p),
        "so that a mask has nothing to keep",
    ),
    "a feather without a mask": (lambda p: (p, "x", "--feather", 4), "works on a mask, and none was given"),
    "an empty folder": (lambda p: (p.parent / "empty", "x"), "holds no pictures"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    capsys: Captured, models: Path, picture: Path, case: str
) -> None:
    (picture.parent / "empty").mkdir()
    arguments, words = REFUSALS[case]
    found = sorted(picture.parent.iterdir())
    assert words in refused(capsys, models, *arguments(picture))
    assert sorted(picture.parent.iterdir()) == found


def test_a_damaged_picture_in_a_folder_is_named_before_any_is_edited(
    capsys: Captured, models: Path, picture: Path
) -> None:
    folder = picture.parent / "some"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture.read_bytes())
    (folder / "b.png").write_bytes(picture.read_bytes()[:900])
    sentence = refused(capsys, models, folder, "x", *FEW)
    assert "b.png cannot be read" in sentence
    assert not (picture.parent / "some_edited").exists()
