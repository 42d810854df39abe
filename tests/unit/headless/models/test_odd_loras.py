"""One LoRA in every odd form that people have: the same weights, or one sentence, in every verb alike."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.models.lora import merge_lora
from reelpatch.headless.models.wan_transformer import load_backbone
from reelpatch.recipes import recipe

State = dict[str, Tensor]
Captured = pytest.CaptureFixture[str]
LAYERS = [f"blocks.{block}.{layer}" for block in (0, 1) for layer in ("self_attn.q", "cross_attn.o", "ffn.2")]
RANK, ALPHA = 4, 2.0
DOWN_UP, A_B, OF_PEFT = (
    ("lora_down.weight", "lora_up.weight"),
    ("lora_A.weight", "lora_B.weight"),
    ("lora_A.default.weight", "lora_B.default.weight"),
)


def pairs() -> dict[str, tuple[Tensor, Tensor]]:
    """For the matrices of the tiny backbone, which is 128 wide and 64 within."""
    generator = torch.Generator().manual_seed(0)
    return {
        layer: (
            torch.randn(RANK, 64 if layer.endswith("ffn.2") else 128, generator=generator) / 5,
            torch.randn(128, RANK, generator=generator) / 5,
        )
        for layer in LAYERS
    }


def state(
    spell: Callable[[str], str], halves: tuple[str, str] = DOWN_UP, *, dtype: torch.dtype = torch.float32
) -> State:
    """As a trainer writes it; those that write A and B keep no alpha."""
    made: State = {}
    for layer, (down, up) in pairs().items():
        has_alpha = halves is DOWN_UP
        made[f"{spell(layer)}.{halves[0]}"] = down.to(dtype)
        made[f"{spell(layer)}.{halves[1]}"] = (up if has_alpha else up * ALPHA / RANK).to(dtype)
        if has_alpha:
            made[f"{spell(layer)}.alpha"] = torch.tensor(ALPHA)
    return made


def after(prefix: str) -> Callable[[str], str]:
    return lambda layer: f"{prefix}{layer}"


def underscored(prefix: str) -> Callable[[str], str]:
    return lambda layer: prefix + layer.replace(".", "_")


def with_alphas(change: Callable[[Tensor], Tensor]) -> State:
    made = state(underscored("lora_unet_"))
    return {key: change(tensor) if key.endswith("alpha") else tensor for key, tensor in made.items()}


def of_method(*parts: str, prefix: str = "lycoris_") -> State:
    made = {f"{underscored(prefix)(layer)}.{part}": torch.ones(4, 4) for layer in LAYERS for part in parts}
    return made | {f"{underscored(prefix)(layer)}.alpha": torch.tensor(4.0) for layer in LAYERS}


PLAIN = state(after("diffusion_model."))
TEXT_ENCODER = {f"lora_te_text_model_encoder_layers_0_mlp_fc1.{half}": torch.ones(4, 4) for half in DOWN_UP}
SAME: dict[str, State] = {
    **{f"{prefix} and A, B": state(after(prefix), A_B) for prefix in (
        "", "transformer.", "transformer_2.", "unet.", "dit.", "module.", "model.diffusion_model.", "pipe.dit2.",
    )},
    **{f"{prefix} and down, up": state(after(prefix)) for prefix in ("unet.", "module.", "model.module.")},
    "PEFT": state(after("base_model.model."), OF_PEFT),
    "PEFT of a wrapped model": state(after("base_model.model.module._orig_mod."), OF_PEFT),
    "musubi": state(underscored("lora_unet_")),
    "half underscored": state(lambda layer: "lora_unet_" + layer.replace(".", "_", 1)),
    "underscores after a prefix with a dot": state(underscored("diffusion_model.lora_unet__")),
    "SimpleTuner": state(underscored("lycoris_")),
    "alpha as a vector of bf16": with_alphas(lambda alpha: alpha.bfloat16().reshape(1)),
    "alpha as an integer": with_alphas(lambda alpha: alpha.long()),
    "with a text encoder's": TEXT_ENCODER | PLAIN,
}  # fmt: skip
DORA = {f"diffusion_model.{layer}.dora_scale": torch.ones(128, 1) for layer in LAYERS}
FLUX = {
    f"lora_unet_double_blocks_{i}_img_attn_qkv.{half}": torch.ones(4, 4) for i in range(4) for half in DOWN_UP
}
REFUSED: dict[str, tuple[State, str]] = {
    "LoHa of a convolution": (
        of_method("hada_t1", "hada_w1_a", "hada_w1_b", "hada_t2", "hada_w2_a", "hada_w2_b"),
        "is a LoHa with a middle tensor (LyCORIS)",
    ),
    "LoKr of a convolution": (
        of_method("lokr_w1", "lokr_t2", "lokr_w2_a", "lokr_w2_b", prefix="lora_unet_"),
        "is a LoKr with a middle tensor (LyCORIS)",
    ),
    "OFT": (of_method("oft_blocks"), "is an OFT"),
    "GLoRA": (of_method("a1.weight", "a2.weight", "b1.weight", "b2.weight"), "is a GLoRA"),
    "DoRA": (PLAIN | DORA, "is a DoRA"),
    "DoRA of some layers": (PLAIN | dict(list(DORA.items())[:2]), "is a DoRA"),
    "of FLUX": (FLUX, "is a LoRA for a HunyuanVideo or FLUX"),
    "nothing": ({}, "holds no tensors"),
}


def saved(folder: Path, name: str, tensors: State) -> Path:
    path = folder / f"{name.replace('.', '_')}.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    return path


@pytest.fixture(scope="module")
def backbone_path(models_folder: Path) -> Path:
    (file,) = recipe("demo").files_for("backbone")
    return models_folder / file.folder / file.names[0]


def merged(backbone: Path, lora: Path) -> State:
    """The backbone's weights with the LoRA in them."""
    model = load_backbone(backbone, dtype=torch.float32)
    merge_lora(model, lora)
    return {key: tensor.detach() for key, tensor in model.state_dict().items()}


@pytest.fixture(scope="module")
def plain(backbone_path: Path, tmp_path_factory: pytest.TempPathFactory) -> State:
    return merged(backbone_path, saved(tmp_path_factory.mktemp("plain"), "plain", PLAIN))


@pytest.mark.parametrize("form", SAME)
def test_the_same_lora_changes_the_same_weights(
    form: str, backbone_path: Path, plain: State, tmp_path: Path, capsys: Captured
) -> None:
    path = saved(tmp_path, "x", SAME[form])
    assert main(["inspect", str(path), "--json"]) == DONE
    (told,) = json.loads(capsys.readouterr().out)["files"]
    assert told["what"] == "a LoRA (rank 4, for a Wan backbone)"
    for key, tensor in merged(backbone_path, path).items():
        # Sums of 4 products below 1, whose order and scaling differ: some roundings of 6e-8.
        torch.testing.assert_close(tensor, plain[key], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float16, 2**-11), (torch.float8_e4m3fn, 2**-4)],
    ids=str,
)
def test_narrow_pairs_are_off_by_their_own_rounding(
    dtype: torch.dtype, tolerance: float, backbone_path: Path, plain: State, tmp_path: Path
) -> None:
    """Each half is off by up to half a step, so that a sum of four products is by at most twice that of them all."""
    lora = saved(tmp_path, "x", state(after("diffusion_model."), dtype=dtype))
    largest = max(
        float(down.abs().max() * up.abs().max()) * ALPHA / RANK * RANK for down, up in pairs().values()
    )
    for key, tensor in merged(backbone_path, lora).items():
        torch.testing.assert_close(tensor, plain[key], atol=2.5 * tolerance * largest, rtol=0)


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_not_applied_is_refused_by_name_in_every_verb(
    form: str, models_folder: Path, clip_path: Path, tmp_path: Path, capsys: Captured
) -> None:
    tensors, words = REFUSED[form]
    (file,) = recipe("demo").files_for("lora")
    models = Path(shutil.copytree(models_folder, tmp_path / "models"))
    path = saved(models / file.folder, file.names[0].removesuffix(".safetensors"), tensors)
    out = tmp_path / "out.mkv"
    edit = ["edit", clip_path, "make it sepia", "--output", out, "--models"]

    def refusal(*arguments: object) -> str:
        assert main([*map(str, arguments), "--json"]) == BAD_INPUT
        return json.loads(capsys.readouterr().out)["error"]

    sentence = refusal("plan", "--models", models)
    assert sentence.startswith(f"{path} {words}")
    assert sentence.endswith(".")
    assert refusal(*edit, models) == sentence
    assert refusal(*edit, models_folder, "--lora", path) == sentence
    assert not out.exists()
    assert main(["inspect", str(path), "--json"]) == DONE
    (told,) = json.loads(capsys.readouterr().out)["files"]
    assert words.removeprefix("is ").split(" for ")[0] in told["what"] + " ".join(told["odd"]).replace(
        "it ", ""
    )


def test_an_alpha_of_zero_is_told(backbone_path: Path, tmp_path: Path) -> None:
    lora = saved(tmp_path, "x", with_alphas(torch.zeros_like))
    with pytest.raises(Exception, match="its alpha is 0, with which a pair changes nothing"):
        merged(backbone_path, lora)
