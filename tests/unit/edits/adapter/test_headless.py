"""Edits by an edit adapter from files to files, as the recipe `easyv2v` runs them; and what is said of such files."""

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.errors import BadInput
from reelpatch.families.kinds import Kind
from reelpatch.families.wan.names import native_to_diffusers, vae22_native_to_diffusers
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.recipe_files import look_for_files
from reelpatch.headless.models.wan_transformer import load_backbone
from reelpatch.headless.models.wan_vae import load_wide_vae
from reelpatch.media.video_io import Video, read_video
from reelpatch.media.video_write import write_video
from reelpatch.plan.job import Job, count_work
from reelpatch.plan.models import models_of
from reelpatch.recipes import recipe
from reelpatch.recipes.finder import check_pair
from reelpatch.weights.completeness import check_complete
from reelpatch.weights.header import identify
from reelpatch.weights.oddities import oddities
from tests.conftest import moving_square
from tests.golden import tiny_adapter
from tests.unit.weights.fixtures import models
from tests.unit.weights.fixtures.files import plain, write

CLIP = to_floats(moving_square(9, 64, 64))
EASYV2V = recipe("easyv2v")
TINY = replace(EASYV2V, steps=2)
HALF = torch.zeros(9, 64, 64)
HALF[4:, :, 32:] = 1


@pytest.fixture(scope="module")
def folder(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with everything that the recipe names, tiny; the adapter under a name of its own."""
    place = tmp_path_factory.mktemp("easyv2v")
    text = recipe("demo").files_for("text_encoder")[0]
    for path in (
        tiny_adapter.save_backbone(place / "diffusion_models" / "wan2.2_ti2v_5B_fp16.safetensors"),
        tiny_adapter.save_vae(place / "vae" / "wan2.2_vae.safetensors"),
        tiny_adapter.save(place / "diffusion_models" / "mine.safetensors"),
    ):
        assert path.is_file()
    (place / "text_encoders").mkdir()
    shutil.copy(models_folder / text.folder / text.names[0], place / "text_encoders")
    return place


@pytest.fixture(scope="module")
def editor(folder: Path) -> Editor:
    return Editor(TINY, folder)


def rendered(editor: Editor, mask: Tensor | None = None, references: tuple[Tensor, ...] = ()) -> Tensor:
    edited = editor.render(CLIP, "make it sepia", mask=mask, references=references)
    assert edited.shape == CLIP.shape
    return edited


def test_what_is_given_is_seen(editor: Editor) -> None:
    plain = rendered(editor)
    assert torch.equal(plain, rendered(editor))
    assert torch.equal(plain, rendered(editor, torch.zeros(9, 64, 64)))  # a blank mask says nothing
    masked = rendered(editor, HALF)
    assert not torch.equal(plain, masked)
    still = torch.rand(40, 50, 3, generator=torch.Generator().manual_seed(3))
    assert not torch.equal(plain, rendered(editor, references=(still,)))
    assert not torch.equal(plain, editor.render(CLIP.flip(2), "make it sepia"))
    kept = editor.edit(CLIP, "make it sepia", mask=HALF)
    assert torch.equal(kept[HALF == 0], CLIP[HALF == 0])
    assert torch.equal(kept[HALF == 1], masked[HALF == 1])


def test_the_lora_within_is_on_the_backbone_while_the_adapter_works(folder: Path, editor: Editor) -> None:
    editor.transformer()
    (report,) = editor.lora_reports
    assert (report.num_layers, dict(report.unmatched)) == (8 * tiny_adapter.LAYERS, {})
    blind = Editor(replace(TINY, strength=0.0), folder)
    assert torch.equal(rendered(blind), blind.render(CLIP.flip(2), "make it sepia"))
    assert blind.lora_reports == ()
    merged = Editor(TINY, folder, merge_loras=True)
    assert not torch.equal(rendered(merged), rendered(blind))
    assert [one.num_layers for one in merged.lora_reports] == [report.num_layers]


def test_the_file_says_where_the_source_lies(folder: Path, tmp_path: Path) -> None:
    own = shutil.copytree(folder, tmp_path / "models")
    tiny_adapter.save(own / "diffusion_models" / "mine.safetensors", "aligned")
    assert not torch.equal(rendered(Editor(TINY, own)), rendered(Editor(TINY, folder)))


def test_from_file_to_file_with_a_time_mask_and_a_reference(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, out, still, where = (tmp_path / name for name in ("clip.mkv", "out.mkv", "still.png", "mask.png"))
    frames = moving_square(9, 64, 64)
    write_video(Video(frames, Fraction(24)), clip)
    Image.fromarray(frames[0]).resize((50, 40)).save(still)
    Image.fromarray((HALF[8] * 255).byte().numpy()).save(where)
    named = (
        "edit",
        clip,
        "make it sepia",
        "--recipe",
        "easyv2v",
        "--models",
        folder,
        "--output",
        out,
        "--steps",
        1,
    )
    options = ("--mask", where, "--when", "4-8", "--reference", still, "--json")
    assert main(list(map(str, (*named, *options)))) == DONE
    made = read_video(out, folder_fps=Fraction(1)).frames
    assert made.shape == frames.shape
    kept = HALF.numpy() == 0
    assert (made[kept] == frames[kept]).all()
    assert (made[~kept] != frames[~kept]).any()
    capsys.readouterr()
    assert main(list(map(str, (*named, "--reference", still, "--reference", still)))) == BAD_INPUT
    assert "2 references were given, but this method looks at 1 at most" in capsys.readouterr().err


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    own = shutil.copytree(folder, tmp_path / "models")
    (own / "diffusion_models" / "mine.safetensors").unlink()
    with pytest.raises(BadInput, match="EasyV2V's authors published no weights: train an edit adapter"):
        Editor(TINY, own)
    problems = [status.problem for status in look_for_files(EASYV2V, own) if status.found is None]
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("wide", "a module works with the backbone of its own size alone"),
        ("vae", "is a Wan2.1 VAE .* a Wan2.2 VAE of 48 channels is needed here"),
        ("unfit", "but lacks mask_embedding.bias"),
    ],
)
def test_what_does_not_go_together_is_refused(
    place: str, words: str, folder: Path, models_folder: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(folder, tmp_path / "models")
    adapter, vae = own / "diffusion_models" / "mine.safetensors", recipe("demo").files_for("vae")[0]
    if place == "wide":
        tiny_adapter.save(adapter, state=tiny_adapter.weights(256))
    elif place == "unfit":
        state = tiny_adapter.weights()
        del state["mask_embedding.bias"]
        tiny_adapter.save(adapter, state=state)
    else:
        shutil.copy(models_folder / vae.folder / vae.names[0], own / "vae" / "wan2.2_vae.safetensors")
    with pytest.raises(BadInput, match=words):
        Editor(TINY, own)


def test_an_adapter_of_16_channels_does_not_go_with_a_model_of_48(folder: Path, tmp_path: Path) -> None:
    own = shutil.copytree(folder, tmp_path / "models")
    tiny_adapter.save(own / "diffusion_models" / "mine.safetensors", state=tiny_adapter.weights(channels=16))
    with pytest.raises(BadInput, match="128 wide for 16 channels, and the backbone 128 wide for 48"):
        rendered(Editor(TINY, own))


def test_a_vae_of_48_channels_does_not_go_with_a_model_of_16(
    folder: Path, models_folder: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(models_folder, tmp_path / "models")
    vae = recipe("demo").files_for("vae")[0]
    shutil.copy(folder / "vae" / "wan2.2_vae.safetensors", own / vae.folder / vae.names[0])
    with pytest.raises(BadInput, match=r"is a Wan2.2 VAE .*a Wan2.1 VAE is needed here"):
        Editor(recipe("demo"), own)


def test_a_backbone_that_reads_more_than_its_latents_is_refused(tmp_path: Path) -> None:
    """Lucy-Edit's, which has 48 channels for a source behind the 48 of noise."""
    lucy = tiny_adapter.save_backbone(tmp_path / "diffusion_models" / "lucy.safetensors", in_channels=96)
    with pytest.raises(BadInput, match="reads 96 channels and not the 48 of its latents"):
        load_backbone(lucy, kinds=(Kind.WIDE_BACKBONE,))


def test_the_layout_does_not_depend_on_the_backbone(models_folder: Path, tmp_path: Path) -> None:
    """An adapter for a backbone of 16 channels, beside the files of the demo."""
    own = shutil.copytree(models_folder, tmp_path / "models")
    state = tiny_adapter.weights(channels=16, layers=2)
    tiny_adapter.save(own / "diffusion_models" / "narrow.safetensors", state=state)
    files = tuple(file for file in recipe("demo").files if file.role not in ("module", "lora"))
    (adapter,) = EASYV2V.files_for("module")
    record = replace(TINY, family="wan", files=(*files, adapter))
    editor = Editor(record, own)
    clip = CLIP[:, :48, :48]  # a multiple of 16
    edited = editor.render(clip, "make it sepia")
    assert edited.shape == clip.shape
    (report,) = editor.lora_reports
    assert (report.num_layers, dict(report.unmatched)) == (8 * 2, {})
    assert not torch.equal(edited, editor.render(clip, "make it sepia", mask=HALF[:, :48, :48]))
    assert not torch.equal(edited, editor.render(clip, "make it sepia", references=[torch.rand(8, 8, 3)]))


def test_an_adapter_is_known_by_its_header(folder: Path) -> None:
    found = identify(folder / "diffusion_models" / "mine.safetensors")
    assert (found.kind, found.width, found.naming) == (Kind.EDIT_ADAPTER, 128, "native")
    assert found.words == "an edit adapter (128 wide, 48 channels, LoRA of rank 2)"
    assert oddities(found) == ()
    assert found.num_parameters == 3 * (4 * 48 * 128 + 128) + 3 * 8 * 2 * 2 * 128
    for name, words in (
        ("diffusion_models/wan2.2_ti2v_5B_fp16.safetensors", "a Wan2.2 backbone for the 48-channel VAE"),
        ("vae/wan2.2_vae.safetensors", "a Wan2.2 VAE of 48 channels (base widths 8 and 8)"),
    ):
        assert identify(folder / name).words.startswith(words)


@pytest.mark.parametrize("spelled", ["diffusers", "peft", "diffusion_model"])
def test_a_lora_within_may_have_any_naming(spelled: str, tmp_path: Path) -> None:
    state = {
        key if "embedding" in key else _spelled(key, spelled): one
        for key, one in tiny_adapter.weights().items()
    }
    found = identify(tiny_adapter.save(tmp_path / "any.safetensors", state=state))
    assert found.words == "an edit adapter (128 wide, 48 channels, LoRA of rank 2)"
    assert oddities(found) == ()


def _spelled(key: str, naming: str) -> str:
    layer, half = key.split(".lora_")
    if naming == "diffusers":
        return f"transformer.{native_to_diffusers(layer)}.lora_{half}"
    if naming == "peft":
        return f"base_model.model.{layer}.lora_{half.replace('.weight', '.default.weight')}"
    return f"diffusion_model.{layer}.lora_{half}"


def test_the_plan_by_hand() -> None:
    """21 latent frames of 15 x 26 tokens; with the source twice as many, and 390 more for a reference."""
    alone = replace(EASYV2V, strength=0.0)
    job = Job(EASYV2V, 81, (480, 832))
    assert job.grid.tokens == 21 * 15 * 26 == 8190
    assert job.tokens == 2 * 8190 == 16_380
    assert replace(job, references=1).tokens == 16_380 + 15 * 26
    models = models_of(EASYV2V, {})
    assert [round(models.backbone.flops(tokens).total / 1e12) for tokens in (8190, 16_380)] == [98, 245]
    work = count_work(job, models)
    assert round(work.forward.total / 1e12) == 245
    assert work.denoise.total == 100 * work.forward.total
    assert (
        count_work(replace(job, recipe=alone), models).denoise.total
        == 100 * models.backbone.flops(8190).total
    )
    # Three embeddings of 4 x 48 numbers a channel, and pairs of rank 256 on 8 matrices of 30 blocks.
    assert models.module_parameters == 3 * (192 + 1) * 3072 + 30 * 8 * 2 * 256 * 3072
    assert models.vae.parameters == 704_688_668
    with pytest.raises(BadInput, match="multiples of 32 pixels: use 832x480"):
        Job(EASYV2V, 81, (464, 832))


def test_the_plan_counts_an_adapter_that_is_there(folder: Path) -> None:
    found = {
        "backbone": identify(folder / "diffusion_models" / "wan2.2_ti2v_5B_fp16.safetensors"),
        "module": identify(folder / "diffusion_models" / "mine.safetensors"),
        "vae": identify(folder / "vae" / "wan2.2_vae.safetensors"),
    }
    models = models_of(EASYV2V, found)
    assert models.module_parameters == found["module"].num_parameters
    assert models.vae.parameters == found["vae"].num_parameters
    assert models.backbone.parameters.total == found["backbone"].num_parameters


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("spelled", ["core", "diffusers"])
def test_the_backbone_and_its_vae_in_every_naming(
    spelled: str, dtype: torch.dtype, folder: Path, tmp_path: Path
) -> None:
    plain = folder / "diffusion_models" / "wan2.2_ti2v_5B_fp16.safetensors"
    vae = folder / "vae" / "wan2.2_vae.safetensors"
    is_core = spelled == "core"
    state = {
        f"model.diffusion_model.{key}" if is_core else native_to_diffusers(key): one.to(
            dtype if one.ndim == 2 else torch.float32
        )
        for key, one in load_file(plain).items()
    }
    save_file(state, tmp_path / "backbone.safetensors")
    save_file(
        {key if is_core else vae22_native_to_diffusers(key): one for key, one in load_file(vae).items()},
        tmp_path / "vae.safetensors",
    )
    assert identify(tmp_path / "backbone.safetensors").kind is Kind.WIDE_BACKBONE
    assert identify(tmp_path / "vae.safetensors").kind is Kind.VAE22
    loaded, other = (
        load_backbone(path, dtype=torch.float32, kinds=(Kind.WIDE_BACKBONE,)).state_dict()
        for path in (plain, tmp_path / "backbone.safetensors")
    )
    assert loaded.keys() == other.keys()
    for key, one in loaded.items():
        assert torch.equal(other[key].float(), one.to(dtype).float() if one.ndim == 2 else one), key
    first, second = (load_wide_vae(path).model.state_dict() for path in (vae, tmp_path / "vae.safetensors"))
    assert all(torch.equal(one, second[key]) for key, one in first.items())


def test_files_of_the_published_size(tmp_path: Path) -> None:
    """Sparse ones with the true header: TI2V-5B, its VAE, and an adapter with EasyV2V's LoRA of rank 256."""
    own = tiny_adapter.weights(3072, 48, layers=1, rank=2)
    shapes = {key: tuple(one.shape) for key, one in own.items() if "embedding" in key}
    for key in (key for key in own if "lora" in key):
        for block in range(30):
            half = (256, 3072) if "lora_A" in key else (3072, 256)
            shapes[key.replace("blocks.0", f"blocks.{block}")] = half
    found = {
        role: identify(write(tmp_path / f"{role}.safetensors", plain(held, dtype)))
        for role, held, dtype in (
            ("backbone", models.ti2v_5b(), "F16"),
            ("module", shapes, "BF16"),
            ("vae", models.vae_2_2(), "F16"),
        )
    }
    assert found["module"].words == "an edit adapter (5B, 48 channels, LoRA of rank 256)"
    assert found["module"].num_bytes == 2 * 379_266_048
    check_pair(found["backbone"], found["module"])
    for one in found.values():
        check_complete(one)
    assert models_of(EASYV2V, found).num_parameters == models_of(EASYV2V, {}).num_parameters
    assert models_of(EASYV2V, found).vae.parameters == 704_688_668
    narrow = identify(write(tmp_path / "t2v.safetensors", plain(models.t2v_1_3b(), "BF16")))
    with pytest.raises(BadInput, match=r"an edit adapter \(5B.*3072 wide, but .*1536 wide"):
        check_pair(narrow, found["module"])
