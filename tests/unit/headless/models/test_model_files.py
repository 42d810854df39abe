"""Recipes find their files by header: at full size, without data, and every wrong one is told in a sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reelpatch.errors import BadInput
from reelpatch.headless.commands.show_recipe import show_recipe
from reelpatch.headless.models.recipe_files import RecipeFiles, look_for_files
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.recipes import recipe
from reelpatch.recipes.finder import check_weights
from tests.unit.weights.fixtures import models
from tests.unit.weights.fixtures.files import Header, comfy_quant, kijai, lora, plain, prefixed, scaled, write

DITTO = recipe("ditto-global")
BACKBONE, MODULE, LORA, VAE, TEXT = (
    "diffusion_models/Wan2_1-T2V-14B_fp8_e4m3fn.safetensors",
    "diffusion_models/ditto_global_comfy.safetensors",
    "loras/Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors",
    "vae/Wan2_1_VAE_bf16.safetensors",
    "text_encoders/umt5-xxl-enc-bf16.safetensors",
)
HEADERS: dict[str, Callable[[], Header]] = {
    BACKBONE: lambda: kijai(models.t2v_14b(), "F8_E4M3"),
    MODULE: lambda: plain(models.vace_module_14b(), "BF16"),
    LORA: lambda: lora(models.t2v_14b(), 32, "BF16", layers=("attn.q", "attn.k", "attn.v", "attn.o")),
    VAE: lambda: plain(models.vae_2_1(), "BF16"),
    TEXT: lambda: plain(models.umt5_xxl(), "BF16"),
}


def put(folder: Path, place: str, header: Header) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, header)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All files of ditto-global."""
    for place, header in HEADERS.items():
        put(tmp_path, place, header())
    return tmp_path


def refused(folder: Path) -> str:
    with pytest.raises(BadInput) as error:
        RecipeFiles.find(DITTO, folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_complete_folder(folder: Path) -> None:
    files = RecipeFiles.find(DITTO, folder)
    assert files.backbone == folder / BACKBONE
    assert files.module == folder / MODULE
    assert files.loras == ((folder / LORA, 1.0),)
    answer, text = show_recipe("ditto-global", folder, fetches=False)
    assert answer["ready"] is True
    assert [file["problem"] for file in answer["files"]] == [None] * 5
    assert "missing" not in text
    assert "non-commercial" in text


@pytest.mark.parametrize(
    ("place", "header", "words"),
    [
        (MODULE, lambda: plain(models.t2v_14b(), "BF16"), "is a Wan text-to-video backbone"),
        (MODULE, HEADERS[LORA], "is a LoRA"),
        (MODULE, lambda: plain(models.vace_module_1_3b(), "BF16"), "the recipe needs the 14B model"),
        (BACKBONE, HEADERS[MODULE], "is a VACE edit module"),
        (BACKBONE, HEADERS[LORA], "is a LoRA"),
        (
            BACKBONE,
            lambda: scaled(kijai(models.i2v_14b(), "F8_E4M3")),
            "is a Wan backbone for image-to-video",
        ),
        (BACKBONE, lambda: plain(models.i2v_a14b(), "F16"), "is a Wan backbone for image-to-video"),
        (BACKBONE, lambda: plain(models.ti2v_5b(), "F16"), "for the 48-channel VAE"),
        (BACKBONE, lambda: plain(models.t2v_1_3b(), "BF16"), "the recipe needs the 14B model"),
        (LORA, HEADERS[MODULE], "is a VACE edit module"),
        (VAE, lambda: plain(models.vae_2_2(), "BF16"), "is a Wan2.2 VAE of 48 channels"),
        (VAE, HEADERS[TEXT], "is a UMT5 text encoder"),
        (TEXT, HEADERS[VAE], "is a Wan2.1 VAE"),
        (TEXT, lambda: plain(models.clip_vit_h_wan(), "F16"), "is a CLIP vision encoder"),
    ],
)
def test_a_wrong_file_is_told_what_it_is(
    folder: Path, place: str, header: Callable[[], Header], words: str
) -> None:
    path = put(folder, place, header())
    sentence = refused(folder)
    assert str(path) in sentence
    assert words in sentence
    statuses = {status.file.names[0]: status for status in look_for_files(DITTO, folder)}
    assert statuses[path.name].problem == sentence
    assert sum(status.found is None for status in statuses.values()) == 1


def test_gguf_is_told_what_can_take_it(folder: Path) -> None:
    (folder / BACKBONE).write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(200))
    assert "ComfyUI-GGUF" in refused(folder)


def test_a_truncated_file(folder: Path) -> None:
    path = folder / MODULE
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)
    assert "bytes" in refused(folder)


def test_a_missing_file_says_where_to_get_it(folder: Path) -> None:
    (folder / MODULE).unlink()
    sentence = refused(folder)
    assert "ditto_global_comfy.safetensors is not in" in sentence
    assert "https://huggingface.co/QingyanBai/Ditto_models" in sentence
    answer, text = show_recipe("ditto-global", folder, fetches=False)
    assert answer["ready"] is False
    assert "1 to get, 6.1 GB: --download fetches what is missing." in text
    assert not (folder / MODULE).exists()


def test_any_name_serves_where_all_files_of_a_kind_are_alike(folder: Path) -> None:
    (folder / VAE).rename(folder / "vae" / "mine.safetensors")
    (folder / TEXT).unlink()
    encoder = put(folder, "text_encoders/sub/other.safetensors", scaled(kijai(models.umt5_xxl(), "F8_E4M3")))
    put(folder, "text_encoders/clip.safetensors", plain(models.clip_vit_h_wan(), "F16"))
    files = RecipeFiles.find(DITTO, folder)
    assert files.vae.name == "mine.safetensors"
    assert files.text_encoder == encoder
    (folder / BACKBONE).rename(folder / "diffusion_models" / "mine.safetensors")
    assert "is not in" in refused(folder)  # which of the many backbones it is, no header tells


def test_other_forms_of_the_same_files_serve(folder: Path) -> None:
    (folder / BACKBONE).unlink()
    name = "diffusion_models/wan2.1_t2v_14B_fp8_scaled.safetensors"
    header = prefixed(comfy_quant(kijai(models.t2v_14b(), "F8_E4M3")), "model.diffusion_model.")
    put(folder, name, header)
    assert RecipeFiles.find(DITTO, folder).backbone == folder / name


def test_the_high_noise_expert_is_refused_where_its_name_tells_it(tmp_path: Path) -> None:
    (low,) = recipe("enhance").files_for("backbone")
    header = scaled(kijai(models.t2v_14b(), "F8_E4M3"))
    path = write(tmp_path / "wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors", header)
    with pytest.raises(BadInput, match="the high-noise expert, but the low-noise one is needed"):
        check_weights(path, low)
    assert check_weights(path.rename(tmp_path / low.names[0]), low).size == "14B"
    (any_expert,) = DITTO.files_for("backbone")
    assert check_weights(tmp_path / low.names[0], any_expert).size == "14B"


def test_modules_and_backbones_of_different_sizes_are_no_pair(tmp_path: Path) -> None:
    demo = recipe("demo")
    for file in demo.files:
        shapes = {
            "backbone": plain(models.t2v_14b(), "BF16"),
            "module": plain(models.vace_module_1_3b(), "BF16"),
            "lora": HEADERS[LORA](),
            "vae": HEADERS[VAE](),
            "text_encoder": HEADERS[TEXT](),
        }
        put(tmp_path, f"{file.folder}/{file.names[0]}", shapes[file.role])
    with pytest.raises(
        BadInput, match=r"1536 wide, but .* 5120 wide: a module works with the backbone of its own"
    ):
        RecipeFiles.find(demo, tmp_path)


CHRONOEDIT = {
    "diffusion_models/chrono_edit_14B_fp16.safetensors": lambda: plain(models.i2v_14b(), "F16"),
    VAE: HEADERS[VAE],
    TEXT: HEADERS[TEXT],
    "clip_vision/clip_vision_h.safetensors": lambda: plain(models.clip_vit_h_wan(), "F16"),
    "loras/chronoedit_distill_lora.safetensors": lambda: lora(
        models.i2v_14b(), 32, "BF16", layers=("k_img",)
    ),
}


def test_the_files_of_a_recipe_for_pictures(tmp_path: Path) -> None:
    for place, header in CHRONOEDIT.items():
        put(tmp_path, place, header())
    answer, _ = show_recipe("chronoedit-8step", tmp_path, fetches=False)
    assert answer["ready"] is True
    assert all(file["url"] for file in answer["files"])
    files = RecipeFiles.find(recipe("chronoedit-8step"), tmp_path)
    assert files.clip_vision == tmp_path / "clip_vision/clip_vision_h.safetensors"
    assert "1.3 GB of picture encoder" in files.describe()


def test_a_text_to_video_backbone_edits_no_pictures(tmp_path: Path) -> None:
    for place, header in CHRONOEDIT.items():
        put(tmp_path, place, header())
    put(tmp_path, "diffusion_models/chrono_edit_14B_fp16.safetensors", plain(models.t2v_14b(), "F16"))
    with pytest.raises(BadInput, match="is a Wan text-to-video backbone"):
        RecipeFiles.find(recipe("chronoedit"), tmp_path)


def test_a_backbone_without_the_branch_for_pictures_is_told_from_one_that_has_it(tmp_path: Path) -> None:
    for place, header in CHRONOEDIT.items():
        put(tmp_path, place, header())
    put(tmp_path, "diffusion_models/chrono_edit_14B_fp16.safetensors", plain(models.i2v_a14b(), "F16"))
    with pytest.raises(BadInput, match="without the branch for a picture's embedding"):
        PictureEditor(recipe("chronoedit"), tmp_path, device="cpu")


def test_a_file_of_the_same_name_is_not_replaced(folder: Path) -> None:
    path = put(folder, MODULE, HEADERS[LORA]())
    with pytest.raises(BadInput, match="is a LoRA"):
        show_recipe("ditto-global", folder, fetches=True)
    assert path.exists()


def test_how_large_the_weights_are_is_said_and_one_file_in_two_roles_counts_once(tmp_path: Path) -> None:
    folder = tmp_path
    put(
        folder,
        "diffusion_models/vdot_14b_bf16.safetensors",
        plain(models.t2v_14b() | models.vace_module_14b(), "BF16"),
    )
    put(folder, VAE, HEADERS[VAE]())
    put(folder, TEXT, HEADERS[TEXT]())
    words = RecipeFiles.find(recipe("vdot"), folder).describe()
    assert "34.7 GB of transformer" in words
    assert "11.4 GB of text encoder" in words
    assert words.endswith(".")


def test_vdot_as_convert_leaves_it_is_found(tmp_path: Path) -> None:
    for place, header in (
        ("diffusion_models/vdot_14b_base_bf16.safetensors", plain(models.t2v_14b(), "BF16")),
        ("diffusion_models/vdot_14b_module_bf16.safetensors", plain(models.vace_module_14b(), "BF16")),
        (VAE, HEADERS[VAE]()),
        (TEXT, HEADERS[TEXT]()),
    ):
        put(tmp_path, place, header)
    files = RecipeFiles.find(recipe("vdot"), tmp_path)
    assert (files.backbone.name, files.module.name) == (
        "vdot_14b_base_bf16.safetensors",
        "vdot_14b_module_bf16.safetensors",
    )
    assert "34.7 GB of transformer" in files.describe()
