"""Every naming, dtype and fp8 scaling of an image-to-video backbone and its picture encoder, and LoRAs on all its layers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.wan.names import diffusers_to_native, native_to_diffusers
from reelpatch.headless.models.lora import apply_lora
from reelpatch.headless.models.picture_encoder import load_picture_encoder
from reelpatch.headless.models.stored_layers import StoredLinear
from reelpatch.headless.models.wan_transformer import load_backbone
from reelpatch.weights.header import Kind, identify
from tests.golden import tiny_pictures
from tests.golden.tiny_wan import largest_difference
from tests.parity.file_forms import FORMS, TRANSFORMER_NAMINGS, Form

SAME = 3e-6  # fp32 kernels round by the alignment of mapped memory
CLIP_SAME = 1e-5
SIZES = {"num_attention_heads": 1, "attention_head_dim": 128}  # as the loader takes them


def state() -> dict[str, Tensor]:
    return {
        diffusers_to_native(key): tensor.clone()
        for key, tensor in tiny_pictures.backbone(**SIZES).state_dict().items()
    }


STATE = state()
PICTURE = torch.rand(40, 56, 3, generator=torch.Generator().manual_seed(4))


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def output(path: Path) -> Tensor:
    model = load_backbone(path, dtype=torch.float32, kinds=(Kind.IMAGE_BACKBONE,))
    picture = draw(8, 1, 5, tiny_pictures.CLIP_WIDTH)
    return model(
        draw(7, 1, 36, 2, 4, 6), torch.tensor([500.0]), draw(9, 1, 512, 24), picture, return_dict=False
    )[0]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """Of weights that each form has rounded, by arithmetic of the test's own."""
    folder = tmp_path_factory.mktemp("forms")
    made: dict[str, Tensor] = {}
    for name, form in FORMS.items():
        path = folder / "plain.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in form.rounded(STATE).items()}, path)
        made[name] = output(path)
    return made


@pytest.mark.parametrize("naming", TRANSFORMER_NAMINGS)
@pytest.mark.parametrize("name", ["fp16", "bf16", "fp8", "fp8 scaled, older", "fp8 scaled, newer"])
def test_a_backbone_in_every_form(
    naming: str, name: str, expected: dict[str, Tensor], tmp_path: Path
) -> None:
    form: Form = FORMS[name]
    path = form.save(STATE, tmp_path / "backbone.safetensors", TRANSFORMER_NAMINGS[naming])
    assert identify(path).kind is Kind.IMAGE_BACKBONE
    assert largest_difference(output(path), expected[name]) <= SAME


def test_the_layers_of_the_pictures_branch_stay_as_stored(tmp_path: Path) -> None:
    path = tmp_path / "backbone.safetensors"
    shrunk = {
        key: tensor.to(torch.float8_e4m3fn) if "_img.weight" in key and "norm" not in key else tensor
        for key, tensor in STATE.items()
    }
    save_file({key: tensor.contiguous() for key, tensor in shrunk.items()}, path)
    model = load_backbone(path, dtype=torch.float32, kinds=(Kind.IMAGE_BACKBONE,))
    layer = model.blocks[0].attn2.add_k_proj
    assert isinstance(layer, StoredLinear)
    assert layer.weight.dtype is torch.float8_e4m3fn


def test_a_backbone_for_pictures_is_refused_where_clips_are_edited(tmp_path: Path) -> None:
    path = FORMS["fp16"].save(STATE, tmp_path / "b.safetensors", TRANSFORMER_NAMINGS["official"])
    with pytest.raises(BadInput, match="is a Wan backbone for image-to-video"):
        load_backbone(path)


MATRICES = [
    name.removesuffix(".weight")
    for name, tensor in STATE.items()
    if tensor.ndim == 2 and name.endswith(".weight")
]
SPELLINGS: dict[str, Callable[[str], str]] = {
    "native": lambda layer: f"diffusion_model.{layer}",
    "diffusers": lambda layer: f"transformer.{native_to_diffusers(layer)}",
    "underscored": lambda layer: f"lora_unet_{layer.replace('.', '_')}",
    "DiffSynth": lambda layer: f"pipe.dit.{layer}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_lora_on_every_layer_of_a_backbone_for_pictures(spelling: str, tmp_path: Path) -> None:
    """The branch for pictures among them, in diffusers' names too: no key is left over."""
    assert {"blocks.1.cross_attn.k_img", "blocks.0.cross_attn.v_img", "img_emb.proj.1", "img_emb.proj.3"} <= {
        *MATRICES
    }
    halves = ("lora_down", "lora_up") if spelling == "underscored" else ("lora_A", "lora_B")
    lora: dict[str, Tensor] = {}
    for number, layer in enumerate(MATRICES):
        rows, columns = STATE[f"{layer}.weight"].shape
        lora[f"{SPELLINGS[spelling](layer)}.{halves[0]}.weight"] = draw(number, 2, columns) / 10
        lora[f"{SPELLINGS[spelling](layer)}.{halves[1]}.weight"] = draw(1000 + number, rows, 2) / 10
    path = tmp_path / "lora.safetensors"
    save_file(lora, path)
    model = tiny_pictures.backbone(**SIZES)
    applied = apply_lora(model, path)
    assert not applied.report.unmatched
    assert applied.report.num_layers == len(MATRICES)
    inputs = (
        draw(7, 1, 36, 2, 4, 6),
        torch.tensor([500.0]),
        draw(9, 1, 512, 24),
        draw(8, 1, 5, tiny_pictures.CLIP_WIDTH),
    )
    merged = tiny_pictures.backbone(**SIZES)
    for number, layer in enumerate(MATRICES):
        rows, columns = STATE[f"{layer}.weight"].shape
        added = (draw(1000 + number, rows, 2) / 10) @ (draw(number, 2, columns) / 10)
        merged.get_submodule(native_to_diffusers(layer)).weight.data += added
    with torch.no_grad():
        assert (
            largest_difference(model(*inputs, return_dict=False)[0], merged(*inputs, return_dict=False)[0])
            <= 1e-3
        )


def encoder_state() -> dict[str, Tensor]:
    model = tiny_pictures.picture_encoder().state_dict()
    return {name.removeprefix("vision_model."): tensor for name, tensor in model.items()}


def in_wans_names(own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same encoder as the Wan authors' file has it: one matrix for queries, keys and values."""
    result = {
        "visual.patch_embedding.weight": own["embeddings.patch_embedding.weight"],
        "visual.cls_embedding": own["embeddings.class_embedding"][None, None],
        "visual.pos_embedding": own["embeddings.position_embedding.weight"][None],
        "visual.head": torch.ones(80, 16),
    }
    for part in ("weight", "bias"):
        result[f"visual.pre_norm.{part}"] = own[f"pre_layrnorm.{part}"]
        result[f"visual.post_norm.{part}"] = own[f"post_layernorm.{part}"]
        for number in range(2):
            theirs, ours = f"visual.transformer.{number}", f"encoder.layers.{number}"
            qkv = [own[f"{ours}.self_attn.{letter}_proj.{part}"] for letter in "qkv"]
            result[f"{theirs}.attn.to_qkv.{part}"] = torch.cat(qkv)
            result[f"{theirs}.attn.proj.{part}"] = own[f"{ours}.self_attn.out_proj.{part}"]
            for norm in ("1", "2"):
                result[f"{theirs}.norm{norm}.{part}"] = own[f"{ours}.layer_norm{norm}.{part}"]
            result[f"{theirs}.mlp.0.{part}"] = own[f"{ours}.mlp.fc1.{part}"]
            result[f"{theirs}.mlp.2.{part}"] = own[f"{ours}.mlp.fc2.{part}"]
    return result


def saved(folder: Path, tensors: dict[str, Tensor]) -> Path:
    path = folder / "clip_vision_h.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    return path


def test_the_picture_encoder_in_both_namings(tmp_path: Path) -> None:
    own = encoder_state()
    named = {f"vision_model.{name}": tensor for name, tensor in own.items()} | {
        "visual_projection.weight": torch.ones(16, 80)
    }
    expected = load_picture_encoder(saved(tmp_path, named)).embed(PICTURE)
    assert expected.shape == (1, 5, 80)
    assert (
        largest_difference(load_picture_encoder(saved(tmp_path, in_wans_names(own))).embed(PICTURE), expected)
        <= CLIP_SAME
    )
    halved = {name: tensor.half() for name, tensor in named.items()}
    found = load_picture_encoder(saved(tmp_path, halved)).embed(PICTURE)
    assert found.dtype == torch.float32
    assert 0 < largest_difference(found, expected) < 0.05


def test_a_picture_encoder_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    named = {f"vision_model.{name}": tensor for name, tensor in encoder_state().items()}
    del named["vision_model.encoder.layers.0.mlp.fc2.weight"]
    with pytest.raises(BadInput, match=r"but lacks encoder\.layers\.0\.mlp\.fc2\.weight; use a complete"):
        load_picture_encoder(saved(tmp_path, named))


def test_another_picture_encoder_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, {"vision_model.encoder.layers.0.layer_norm1.weight": torch.ones(64)})
    with pytest.raises(BadInput, match="lacks its embeddings"):
        load_picture_encoder(path)
