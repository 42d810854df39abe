"""Tiny random weights in the true formats: all files of the recipe `demo`, of a transformer of two blocks."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanVACETransformer3DModel
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

from reelpatch.edits.vace.module import LAYERS_KEY
from reelpatch.families.wan.names import diffusers_to_native, umt5_hf_to_wan, vae_diffusers_to_native
from reelpatch.recipes import Role, recipe

WORDS = ("<pad>", "</s>", "<unk>", "make", "it", "sepia", "blue", "remove", "the", "circle")
State = dict[str, Tensor]


def write_models(folder: Path) -> None:
    """Writes the files, each into the folder of its kind; the same values each time."""
    torch.manual_seed(0)
    backbone, module = _transformer()
    vae = AutoencoderKLWan(base_dim=8)
    text = UMT5EncoderModel(
        UMT5Config(vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2)
    )
    files: dict[Role, tuple[State, Mapping[str, str]]] = {
        "backbone": (backbone, {}),
        "module": (module, {LAYERS_KEY: "0"}),
        "lora": (_lora(backbone), {}),
        "vae": (_native(vae, vae_diffusers_to_native), {}),
        "text_encoder": (_native(text, umt5_hf_to_wan), {"tokenizer_json": _tokenizer()}),
    }
    for role, (state, metadata) in files.items():
        file = recipe("demo").files_for(role)[0]
        (folder / file.folder).mkdir(exist_ok=True)
        save_file(state, folder / file.folder / file.names[0], dict(metadata))


def _native(model: nn.Module, rename: Callable[[str], str]) -> State:
    """Weights under native names; small noise on all, because diffusers starts some layers from zeros."""
    return {
        rename(key): (tensor + 0.02 * torch.randn_like(tensor)).contiguous()
        for key, tensor in model.state_dict().items()
        if key != "encoder.embed_tokens.weight"
    }


def _transformer() -> tuple[State, State]:
    merged = _native(
        WanVACETransformer3DModel(
            num_attention_heads=1,
            num_layers=2,
            ffn_dim=64,
            text_dim=4096,
            freq_dim=256,
            vace_layers=[0],
            vace_in_channels=96,
        ),
        diffusers_to_native,
    )
    backbone = {key: tensor for key, tensor in merged.items() if not key.startswith("vace_")}
    return backbone, {key: merged[key] for key in merged.keys() - backbone.keys()}


def _lora(backbone: State) -> State:
    layer = "blocks.0.self_attn.q"
    width = len(backbone[f"{layer}.weight"])
    return {
        f"diffusion_model.{layer}.lora_A.weight": torch.randn(2, width) / 50,
        f"diffusion_model.{layer}.lora_B.weight": torch.randn(width, 2) / 50,
    }


def _tokenizer() -> str:
    """One that takes any words, as UMT5's own does: templates of every method are run with it."""
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer.to_str()
