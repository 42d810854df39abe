"""The same weights as the files that people have: every naming, every dtype, both ways of scaling fp8."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.families.wan.names import native_to_diffusers, umt5_wan_to_hf, vae_native_to_diffusers

State = dict[str, Tensor]
FLOAT8 = torch.float8_e4m3fn
HIGHEST = torch.finfo(FLOAT8).max
_ATTENTION = (".q.weight", ".k.weight", ".v.weight", ".o.weight")
_OTHERS = (".ffn.0.weight", ".ffn.2.weight", "_proj.weight", ".gate.0.weight", ".fc1.weight", ".fc2.weight")


def is_quantised(key: str) -> bool:
    """Whether fp8 files narrow this weight: the matrices of the blocks."""
    return "blocks." in key and key.endswith((*_ATTENTION, *_OTHERS))


def prefixed(prefix: str) -> Callable[[str], str]:
    return lambda key: prefix + key


TRANSFORMER_NAMINGS: Mapping[str, Callable[[str], str]] = {
    "official": prefixed(""),
    "core": prefixed("model.diffusion_model."),
    "Kijai": prefixed("diffusion_model."),
    "model.": prefixed("model."),
    "diffusers": native_to_diffusers,
}
TEXT_NAMINGS: Mapping[str, Callable[[str], str]] = {"Wan": prefixed(""), "Hugging Face": umt5_wan_to_hf}
VAE_NAMINGS: Mapping[str, Callable[[str], str]] = {
    "official": prefixed(""),
    "model.": prefixed("model."),
    "diffusers": vae_native_to_diffusers,
}


def plain(dtype: torch.dtype) -> Callable[[State, Callable[[str], str]], State]:
    return lambda state, rename: {rename(key): tensor.to(dtype) for key, tensor in state.items()}


def float8(state: State, rename: Callable[[str], str]) -> State:
    """Unscaled, as kijai's: matrices in fp8, all else in fp16."""
    return {
        rename(key): tensor.to(FLOAT8 if is_quantised(key) else torch.float16)
        for key, tensor in state.items()
    }


def scaled(tensor: Tensor) -> tuple[Tensor, Tensor]:
    scale = tensor.abs().max().float() / HIGHEST
    return (tensor / scale).to(FLOAT8), scale


def scaled_older(state: State, rename: Callable[[str], str]) -> State:
    """A marker for the file, `scale_weight` and `scale_input` for a layer."""
    first = next(iter(state))
    prefix = rename(first).removesuffix(first) if rename(first).endswith(first) else ""
    result: State = {f"{prefix}scaled_fp8": torch.empty(2, dtype=FLOAT8).zero_()}
    for key, tensor in state.items():
        own = rename(key)
        if is_quantised(key):
            result[own], scale = scaled(tensor)
            layer = own.removesuffix(".weight")
            result |= {f"{layer}.scale_weight": scale, f"{layer}.scale_input": torch.tensor(1.0)}
        else:
            result[own] = tensor.to(torch.float16)
    return result


def scaled_newer(state: State, rename: Callable[[str], str]) -> State:
    """`weight_scale` and a JSON note of the format for each layer."""
    note = torch.tensor(list(json.dumps({"format": "float8_e4m3fn"}).encode()), dtype=torch.uint8)
    result: State = {}
    for key, tensor in state.items():
        own = rename(key)
        if is_quantised(key):
            result[own], scale = scaled(tensor)
            layer = own.removesuffix(".weight")
            result |= {f"{layer}.weight_scale": scale, f"{layer}.comfy_quant": note.clone()}
        else:
            result[own] = tensor.to(torch.bfloat16)
    return result


@dataclass(frozen=True)
class Form:
    """How a file holds weights; `bar` is the relative RMS error of outputs that its rounding may cause."""

    make: Callable[[State, Callable[[str], str]], State]
    bar: float

    def save(
        self,
        state: State,
        path: Path,
        rename: Callable[[str], str],
        metadata: Mapping[str, str] | None = None,
    ) -> Path:
        made = self.make(state, rename)
        save_file({key: tensor.contiguous() for key, tensor in made.items()}, path, dict(metadata or {}))
        return path

    def rounded(self, state: State) -> State:
        """The weights in fp32 as this form rounds them, by arithmetic of this file's own."""
        made = self.make(state, prefixed(""))
        result: State = {}
        for key in state:
            layer = key.removesuffix(".weight")
            scale = made.get(f"{layer}.scale_weight", made.get(f"{layer}.weight_scale", torch.tensor(1.0)))
            result[key] = made[key].float() * scale
        return result


FORMS: Mapping[str, Form] = {
    "fp32": Form(plain(torch.float32), 2e-6),
    "fp16": Form(plain(torch.float16), 2e-3),
    "bf16": Form(plain(torch.bfloat16), 1.6e-2),
    "fp8": Form(float8, 0.08),
    "fp8 scaled, older": Form(scaled_older, 0.08),
    "fp8 scaled, newer": Form(scaled_newer, 0.08),
}
# The norms of an untrained VAE lift what its weights' rounding does, by how much depends on the numbers that a version of
# PyTorch draws: up to 5.2 unit roundoffs of fp16 were seen, where 8 are allowed and 4 above.
VAE_FORMS = {name: replace(FORMS[name], bar=2 * FORMS[name].bar) for name in ("fp32", "fp16", "bf16")}
