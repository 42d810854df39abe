"""LoRAs as side paths, through PEFT: base weights, fp8 ones too, are never touched, so undoing is exact."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from diffusers.utils.peft_utils import recurse_remove_peft_layers
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from torch import nn

from reelpatch.errors import BadInput
from reelpatch.weights.finite import is_finite
from reelpatch.weights.header import Kind, expect
from reelpatch.weights.lora import LoraPair, match_lora
from reelpatch.weights.names import diffusers_to_native


@dataclass(frozen=True)
class LoraReport:
    """What became of a LoRA file: how many layers it changes, and why its other keys are not used."""

    path: Path
    num_layers: int
    unmatched: Mapping[str, str]


def apply_lora(model: nn.Module, path: Path, strength: float = 1.0) -> LoraReport:
    """Adds a LoRA to those linear layers of a backbone or an edit module that it has pairs for; LoRAs add up.

    Raises: `BadInput` for a file of another kind, one that fits no layer, or one with NaN in it.
    """
    file = expect(path, Kind.LORA)
    with safe_open(path, framework="pt") as tensors:
        state = {key: tensors.get_tensor(key) for key in file.tensors}
    layers = {_native(name): (name, layer) for name, layer in _linear_layers(model)}
    lora = match_lora(state, {native: tuple(layer.weight.shape) for native, (_, layer) in layers.items()})
    if not lora.pairs:
        key, reason = next(iter(lora.unmatched.items()))
        raise BadInput(
            f"The LoRA {path} fits no layer of {type(model).__name__} ({key}: {reason}); choose another."
        )
    for native, pair in lora.pairs.items():
        if not (is_finite(pair.down) and is_finite(pair.up)):
            raise BadInput(f"The LoRA {path} holds NaN or infinity for {native}; download it again.")
    adapter = f"lora{len({name for layer in _lora_layers(model) for name in layer.lora_A})}"
    _inject(model, adapter, {layers[native][0]: pair for native, pair in lora.pairs.items()}, strength)
    return LoraReport(path, len(lora.pairs), lora.unmatched)


def remove_lora(model: nn.Module) -> None:
    """Takes every LoRA off again; the model computes what it did before, bit for bit."""
    recurse_remove_peft_layers(model)


def _native(name: str) -> str:
    try:
        return diffusers_to_native(name)
    except KeyError:  # an edit module's own names are native
        return name


def _linear_layers(model: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """Linear layers by name; where a LoRA stands already, the layer below it under the name above it."""
    for name, module in model.named_modules():
        layer = module.get_base_layer() if isinstance(module, LoraLayer) else module
        if isinstance(layer, nn.Linear) and not {"base_layer", "lora_A", "lora_B"} & set(name.split(".")):
            yield name, layer


def _lora_layers(model: nn.Module) -> list[LoraLayer]:
    return [module for module in model.modules() if isinstance(module, LoraLayer)]


def _inject(model: nn.Module, adapter: str, pairs: dict[str, LoraPair], strength: float) -> None:
    # One adapter for each rank: PEFT finds ranks of single layers by regular expression, layers times layers.
    for rank in sorted({pair.rank for pair in pairs.values()}):
        chosen = {name: pair for name, pair in pairs.items() if pair.rank == rank}
        config = LoraConfig(r=rank, target_modules=list(chosen), inference_mode=True)
        name = f"{adapter}_rank{rank}"
        inject_adapter_in_model(config, model, name, low_cpu_mem_usage=True)
        del model.peft_config  # only PEFT's own bookkeeping; it warns when it finds it again
        for layer_name, pair in chosen.items():
            _set_pair(model.get_submodule(layer_name), name, pair, strength)
    # PEFT leaves the newest adapter alone active, everywhere.
    for layer in _lora_layers(model):
        layer.set_adapter(list(layer.lora_A), inference_mode=True)


def _set_pair(layer: nn.Module, adapter: str, pair: LoraPair, strength: float) -> None:
    assert isinstance(layer, LoraLayer)
    base = layer.get_base_layer()
    assert isinstance(base, nn.Linear)
    dtype = base.bias.dtype  # the weight may stay as its file has it
    for half, tensor in ((layer.lora_A, pair.down), (layer.lora_B, pair.up)):
        half[adapter].weight = nn.Parameter(tensor.to(base.weight.device, dtype), requires_grad=False)
    layer.scaling[adapter] = strength * pair.scale
