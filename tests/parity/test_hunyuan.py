"""Files of HunyuanVideo-1.5 in every naming and dtype, loaded here, do what diffusers' and transformers' models do."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import HunyuanVideo15Pipeline
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.edits.channels.edit import ChannelEdit
from reelpatch.edits.contract import Moment
from reelpatch.errors import BadInput
from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.headless.hosts.hunyuan15_host import HunyuanText, predict_velocity
from reelpatch.headless.models.hunyuan15.glyphs import load_glyphs, tokens
from reelpatch.headless.models.hunyuan15.qwen import AFTER, BEFORE, load_qwen
from reelpatch.headless.models.hunyuan15.siglip import load_siglip
from reelpatch.headless.models.hunyuan15.transformer import load_backbone
from reelpatch.headless.models.hunyuan15.vae import load_vae
from tests.golden import tiny_hunyuan as tiny

CPU = torch.device("cpu")
SHAPE = (32, 2, 4, 6)
# A few roundings of fp32 in a handful of layers, on numbers near 1, added up in another order.
SAME = 1e-5


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder; not to be changed."""
    return tiny.write_models(tmp_path_factory.mktemp("models"))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def forms(naming: str) -> dict[str, Tensor]:
    state = tiny.transformer().state_dict()
    which = {"original": tiny.ORIGINAL, "ComfyUI": tiny.COMFY}
    if naming == "diffusers":
        return {name: tensor.clone() for name, tensor in state.items()}
    return tiny.in_naming(state, which[naming], fuses=naming == "ComfyUI")


def load(path: Path, **options: Any) -> Any:
    return load_backbone(path, device=CPU, kinds=[HunyuanFile.BACKBONE], **{"dtype": torch.float32} | options)


def expected(
    sigma: float, *, with_source: bool, glyph_rows: int = 3, padding: int = 5
) -> tuple[Tensor, tuple[Any, ...]]:
    """What diffusers' own model makes of padded and masked texts, and what is given to ours for the same."""
    model = tiny.transformer()
    latents, source = noise(1, *SHAPE), noise(*SHAPE, seed=1)
    rows, glyphs, seen = (
        noise(1, 7, 256, seed=2),
        noise(1, glyph_rows, 1472, seed=3),
        noise(1, 9, 144, seed=4),
    )
    beside = (
        torch.cat([source, torch.ones(1, *SHAPE[1:])])[None]
        if with_source
        else torch.zeros(1, 33, *SHAPE[1:])
    )

    def padded(tokens: Tensor) -> tuple[Tensor, Tensor]:
        valid = torch.ones(1, tokens.shape[1])
        return torch.nn.functional.pad(tokens, (0, 0, 0, padding)), torch.nn.functional.pad(
            valid, (0, padding)
        )

    text, valid = padded(rows)
    quoted, valid_2 = padded(glyphs)
    made = model(
        torch.cat([latents, beside], dim=1), torch.tensor([1000 * sigma]), text, valid,
        encoder_hidden_states_2=quoted, encoder_attention_mask_2=valid_2,
        image_embeds=seen if with_source else torch.zeros(1, 9, 144), return_dict=False,
    )[0]  # fmt: skip
    edits = [ChannelEdit(source, torch.ones(1, *SHAPE[1:]), seen)] if with_source else []
    return made, (latents, HunyuanText(rows, glyphs), edits)


@pytest.mark.parametrize("naming", ["original", "ComfyUI", "diffusers"])
@pytest.mark.parametrize("with_source", [True, False])
def test_a_transformer_file_is_the_diffusers_model_it_was_made_from(
    tmp_path: Path, naming: str, with_source: bool
) -> None:
    save_file(forms(naming), tmp_path / "x.safetensors")
    made, (latents, text, edits) = expected(0.7, with_source=with_source)
    found = predict_velocity(
        load(tmp_path / "x.safetensors"), latents, text, moment=Moment(0.7, 0, 4, (True,)), edits=edits
    )
    assert found.shape == (1, *SHAPE)
    assert float(made.abs().mean()) > 0.1
    assert float((found - made).abs().max()) <= SAME


def test_a_text_without_quotes_has_no_rows_of_byt5(tmp_path: Path) -> None:
    save_file(forms("ComfyUI"), tmp_path / "x.safetensors")
    made, (latents, text, edits) = expected(0.4, with_source=True, glyph_rows=0)
    text = HunyuanText(text.rows, torch.zeros(1, 0, 0))
    found = predict_velocity(
        load(tmp_path / "x.safetensors"), latents, text, moment=Moment(0.4, 0, 4, (True,)), edits=edits
    )
    assert float((found - made).abs().max()) <= SAME


@pytest.mark.parametrize("style", ["scale_weight", "by rows"])
def test_scaled_fp8_is_widened_by_its_factors(tmp_path: Path, style: str) -> None:
    """The file with factors does what a file of the widened numbers does, and its weights stay fp8."""
    plain, stored = {}, {}
    for name, tensor in forms("ComfyUI").items():
        plain[name] = stored[name] = tensor
        if not name.startswith("double_blocks") or tensor.ndim < 2:
            continue
        size = tensor.abs().amax(dim=1, keepdim=True) if style == "by rows" else tensor.abs().amax()
        factor = (size / 448).reshape(-1)
        narrow = (tensor / factor.reshape(-1, 1)).to(torch.float8_e4m3fn)
        stored[name] = narrow
        stored[f"{name.removesuffix('weight')}scale_weight"] = factor
        plain[name] = narrow.float() * factor.reshape(-1, 1)
    save_file(
        {**stored, "scaled_fp8": torch.zeros(0, dtype=torch.float8_e4m3fn)}, tmp_path / "fp8.safetensors"
    )
    save_file(plain, tmp_path / "plain.safetensors")
    models = [load(tmp_path / name) for name in ("fp8.safetensors", "plain.safetensors")]
    _, (latents, text, edits) = expected(0.7, with_source=True)
    one, other = (
        predict_velocity(model, latents, text, moment=Moment(0.7, 0, 4, (True,)), edits=edits)
        for model in models
    )
    assert models[0].transformer_blocks[0].attn.to_k.weight.dtype is torch.float8_e4m3fn
    assert float((one - other).abs().max()) <= SAME


def test_it_computes_in_bf16_with_times_that_are_not_rounded(tmp_path: Path) -> None:
    save_file(forms("ComfyUI"), tmp_path / "x.safetensors")
    model = load(tmp_path / "x.safetensors", dtype=torch.bfloat16)
    _, (latents, text, edits) = expected(0.7, with_source=True)
    ends = [
        predict_velocity(model, latents, text, moment=Moment(sigma, 0, 4, (True,)), edits=edits)
        for sigma in (0.9960, 0.9959)
    ]
    assert ends[0].dtype is torch.bfloat16
    assert float((ends[0] - ends[1]).abs().max()) > 0  # 996 and 995.9 are one number in bf16


@pytest.mark.parametrize("naming", ["ComfyUI", "diffusers"])
@pytest.mark.parametrize("frames", [1, 9])
def test_a_vae_file_is_the_diffusers_model_it_was_made_from(tmp_path: Path, naming: str, frames: int) -> None:
    model = tiny.vae()
    state = model.state_dict()
    save_file(
        tiny.in_naming(state, tiny.COMFY, fuses=False) if naming == "ComfyUI" else dict(state),
        tmp_path / "x.safetensors",
    )
    vae = load_vae(tmp_path / "x.safetensors")
    video = noise(3, frames, 32, 48).clamp(-1, 1)
    made = model.encode(video[None]).latent_dist.mode()[0] * 1.03682
    # Latents are as large as 7, and the two hosts add in other orders: rounding goes with the largest of them.
    assert float((vae.encode(video) - made).abs().max()) <= SAME * float(made.abs().max())
    latents = noise(32, (frames + 3) // 4, 2, 3)
    decoded = model.decode(latents[None] / 1.03682).sample[0].clamp(-1, 1)
    assert float((vae.decode(latents) - decoded).abs().max()) <= SAME


def test_the_text_is_read_as_the_pipeline_reads_it(models: Path) -> None:
    folder = models / "text_encoders"
    reader = load_qwen(folder / "qwen_2.5_vl_7b_fp8_scaled.safetensors", dtype=torch.float32, device=CPU)
    ids, before = reader.tokens("make it night")
    mask = torch.ones(1, len(ids))
    states = tiny.qwen()(
        input_ids=torch.tensor([ids]), attention_mask=mask, output_hidden_states=True
    ).hidden_states
    assert float((reader.embed("make it night") - states[-3][:, before:]).abs().max()) <= SAME
    defaults = HunyuanVideo15Pipeline._get_mllm_prompt_embeds.__kwdefaults__ or {}
    system = defaults.get("system_message") or HunyuanVideo15Pipeline._get_mllm_prompt_embeds.__defaults__[2]
    assert f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n" == BEFORE
    assert AFTER == "<|im_end|>\n<|im_start|>assistant\n"


def test_an_empty_text_is_a_space_and_a_long_one_is_cut(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = models / "text_encoders"
    reader = load_qwen(folder / "qwen_2.5_vl_7b_fp8_scaled.safetensors", dtype=torch.float32, device=CPU)
    assert reader.tokens("") == reader.tokens(" ")
    ids, before = reader.tokens("x" * 1100)
    assert len(ids) - before == 1000
    assert "its last 106 are not used" in caplog.text or "are not used" in caplog.text


def test_quoted_text_is_read_as_byt5_reads_it(models: Path) -> None:
    folder = models / "text_encoders"
    glyphs = load_glyphs(folder / "byt5_small_glyphxl_fp16.safetensors")
    told = 'Text "OPEN". Text "zu". '
    assert tokens('write "OPEN" and “zu” and "OPEN"') == [*(byte + 3 for byte in told.encode()), 1]
    ids = torch.tensor([tokens('write "OPEN"')])
    assert torch.equal(glyphs.embed('write "OPEN"'), tiny.glyphs()(input_ids=ids).last_hidden_state)


def test_pictures_are_seen_as_siglip_sees_them(models: Path) -> None:
    folder = models / "clip_vision"
    seen = load_siglip(folder / "sigclip_vision_patch14_384.safetensors").embed(noise(2, 30, 40, 3).sigmoid())
    assert seen.shape == (1, 2 * 16, 144)
    from transformers import SiglipImageProcessor

    from reelpatch.clips.bytes_and_floats import to_bytes

    processor = SiglipImageProcessor(size={"height": 56, "width": 56})
    pixels = processor(images=list(to_bytes(noise(2, 30, 40, 3).sigmoid())), return_tensors="pt")[
        "pixel_values"
    ]
    made = tiny.siglip()(pixel_values=pixels).last_hidden_state
    # The processor may resize by tensors, which round to bytes otherwise than Pillow in a few places.
    assert float((seen.reshape(2, 16, 144) - made).abs().mean()) <= 0.02


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"use_meanflow": True}, "told where each step leads to"),
        ({"in_channels": 98}, "for super-resolution"),
        ({"in_channels": 33}, "65 .noise, source and mask. are expected"),
    ],
)
def test_transformers_that_no_edit_is_made_for_are_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    state = tiny.changed_transformer(**change).state_dict()
    save_file({name: tensor.clone() for name, tensor in state.items()}, tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match=words):
        load(tmp_path / "x.safetensors")


def test_a_file_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    state = forms("ComfyUI")
    del state["double_blocks.1.txt_attn.qkv.weight"]
    save_file(state, tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match=r"lacks transformer_blocks\.1\.attn\.add_k_proj\.weight"):
        load(tmp_path / "x.safetensors")
