"""A LoRA beside a model's weights: PEFT's layers for pairs, PyTorch's parametrizations for differences of any other form."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from diffusers.utils.peft_utils import recurse_remove_peft_layers
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, device, dtype, finfo, float32, nn, promote_types
from torch.nn.utils import parametrize

from reelpatch.families.wan.names import diffusers_to_native
from reelpatch.weights.float8 import FLOAT8
from reelpatch.weights.lora import Lora, LoraPair
from reelpatch.weights.lycoris import FactoredChange
from reelpatch.weights.lycoris_parts import Method

_PEFT_CHILDREN = frozenset({"base_layer", "lora_A", "lora_B", "parametrizations"})
_TINY = finfo(float32).tiny  # where a factor is 0, the weight is too, and stays so


@dataclass(frozen=True)
class Place:
    """Where a model keeps one parameter: `path` is the module's name, `module` the one below a LoRA's, if any."""

    path: str
    module: nn.Module
    parameter: str

    @property
    def holder(self) -> tuple[nn.Module, str]:
        """The module that has the stored tensor, and under which name."""
        if parametrize.is_parametrized(self.module, self.parameter):
            lists = cast("nn.ModuleDict", self.module.parametrizations)
            return lists[self.parameter], "original"
        return self.module, self.parameter

    @property
    def stored(self) -> Tensor:
        """The weight itself, without any LoRA."""
        module, name = self.holder
        return cast("Tensor", getattr(module, name))

    @property
    def factor(self) -> Tensor | None:
        """What a scaled fp8 weight is multiplied with as it is used, [1, 1] or [rows, 1] in fp32."""
        return (
            cast("Tensor | None", getattr(self.module, "factor", None))
            if self.parameter == "weight"
            else None
        )

    @property
    def dtype(self) -> dtype:
        """What the layer computes in; its weight may stay as the file has it."""
        bias = getattr(self.module, "bias", None)
        if bias is not None:
            return cast("Tensor", bias).dtype
        return float32 if self.stored.dtype in FLOAT8 else self.stored.dtype


def find_places(model: nn.Module) -> dict[str, Place]:
    """Every parameter of a backbone or an edit module, with or without LoRAs on it, by native name."""
    return {_native(f"{place.path}.{place.parameter}".lstrip(".")): place for place in _places(model)}


def _places(model: nn.Module) -> Iterator[Place]:
    for path, module in model.named_modules():
        if _PEFT_CHILDREN & set(path.split(".")):
            continue
        base = module.get_base_layer() if isinstance(module, LoraLayer) else module
        parametrized = (
            list(cast("nn.ModuleDict", base.parametrizations)) if parametrize.is_parametrized(base) else []
        )
        own = [name for name, tensor in base.named_parameters(recurse=False) if tensor is not None]
        yield from (Place(path, base, name) for name in (*own, *parametrized))


def _native(name: str) -> str:
    try:
        return diffusers_to_native(name)
    except KeyError:  # an edit module's own names are native
        return name


class Difference(nn.Module):
    """A full difference of one parameter, in its shape, at hand as it is."""

    def __init__(self, delta: Tensor) -> None:
        super().__init__()
        self.register_buffer("delta", delta)

    def forward(self) -> Tensor:
        delta = cast("Tensor", self.delta)
        # Where weights are streamed, the buffer leaves the card as this returns; a copy stays.
        return delta.to(float32, copy=delta.device.type != "cpu")


class FactoredDifference(nn.Module):
    """A LoHa's or LoKr's difference of one matrix, multiplied out each time that it is asked for.

    It is divided by `factor`, that of a scaled weight, where there is one. Cost: the matrix in fp32, for as long as the
    layer computes.
    """

    def __init__(self, change: FactoredChange, device: device, factor: Tensor | None) -> None:
        super().__init__()
        self._method: Method = change.method
        self._scale, self._num_first = change.scale, len(change.first)
        self.parts = nn.ParameterList(
            nn.Parameter(tensor.to(device), requires_grad=False) for tensor in (*change.first, *change.second)
        )
        self.register_buffer("factor", factor)

    def forward(self) -> Tensor:
        parts = tuple(self.parts)
        first, second = parts[: self._num_first], parts[self._num_first :]
        product = FactoredChange(self._method, first, second, self._scale).product()
        factor = cast("Tensor | None", self.factor)
        return product if factor is None else product / factor.clamp(min=_TINY)


class AddedDeltas(nn.Module):
    """A parametrization: the weight plus differences, each times its strength, summed in fp32 and rounded once.

    The sum is wide enough for the weight and for `wide`. Differences of a scaled weight come divided by its factor.
    """

    def __init__(self, wide: dtype) -> None:
        super().__init__()
        self.wide = wide
        self.strengths: dict[str, float] = {}

    def add(self, difference: nn.Module) -> str:
        """Takes one more difference, called for its value, at strength 0; returns its name."""
        name = f"delta{len(self.strengths)}"
        self.add_module(name, difference)
        self.strengths[name] = 0.0
        return name

    def forward(self, weight: Tensor) -> Tensor:
        active = [(name, strength) for name, strength in self.strengths.items() if strength]
        if not active:
            # Where weights are streamed, a norm's own tensor leaves the card before the norm computes; a copy stays.
            return weight.clone() if weight.ndim == 1 else weight
        total = weight.float()
        for name, strength in active:
            difference = getattr(self, name)()
            total = total + (difference if strength == 1 else strength * difference)
        return total.to(self.wide if weight.dtype in FLOAT8 else promote_types(weight.dtype, self.wide))


class SidePath:
    """One LoRA on one model, of which only the strength can be changed."""

    def __init__(self, model: nn.Module, places: dict[str, Place], lora: Lora) -> None:
        self._strength = 0.0
        self._pairs = _add_pairs(
            model, {places[f"{name}.weight"].path: pair for name, pair in lora.pairs.items()}
        )
        self._deltas = [(added, added.add(delta)) for added, delta in _parametrized(places, lora)]

    def set_strength(self, strength: float) -> None:
        """What the model computes from now on; at 0 it is what it was without this LoRA, bit for bit."""
        if strength == self._strength:
            return
        self._strength = strength
        for layer, adapter, scale in self._pairs:
            layer.scaling[adapter] = strength * scale
            layer.set_adapter([name for name, factor in layer.scaling.items() if factor], inference_mode=True)
        for added, name in self._deltas:
            added.strengths[name] = strength


def remove_side_paths(model: nn.Module) -> None:
    """Takes everything off that `SidePath`s put on; the weights are the tensors that they were."""
    recurse_remove_peft_layers(model)
    for place in list(_places(model)):
        if parametrize.is_parametrized(place.module, place.parameter):
            parametrize.remove_parametrizations(place.module, place.parameter, leave_parametrized=False)


def _parametrized(places: dict[str, Place], lora: Lora) -> Iterator[tuple[AddedDeltas, nn.Module]]:
    for name, change in (
        *lora.deltas.items(),
        *((f"{name}.weight", change) for name, change in lora.factored.items()),
    ):
        place = places[name]
        module, parameter = place.module, place.parameter
        if not parametrize.is_parametrized(module, parameter):
            # It may widen fp8, so that PyTorch's check for one dtype does not apply.
            parametrize.register_parametrization(module, parameter, AddedDeltas(place.dtype), unsafe=True)
        lists = cast("nn.ModuleDict", module.parametrizations)
        added = cast("AddedDeltas", cast("nn.ModuleList", lists[parameter])[0])
        yield added, _difference(change, place)


def _difference(change: Tensor | FactoredChange, place: Place) -> nn.Module:
    on, factor = place.stored.device, place.factor
    if isinstance(change, FactoredChange):
        return FactoredDifference(change, on, factor)
    own = change.to(on)
    return Difference(own if factor is None else own / factor.clamp(min=_TINY))


def _add_pairs(model: nn.Module, pairs: dict[str, LoraPair]) -> list[tuple[LoraLayer, str, float]]:
    """PEFT's layers at strength 0, each with the adapter's name and the pair's own scale."""
    number = len({name for layer in _lora_layers(model) for name in layer.lora_A})
    added: list[tuple[LoraLayer, str, float]] = []
    # One adapter for each rank: PEFT finds ranks of single layers by regular expression, layers times layers.
    for rank in sorted({pair.rank for pair in pairs.values()}):
        chosen = {path: pair for path, pair in pairs.items() if pair.rank == rank}
        adapter = f"lora{number}_rank{rank}"
        # As an expression: of a list, PEFT takes layers too whose names end so (a refiner's `norm_out.linear`).
        whole = "|".join(map(re.escape, chosen))
        config = LoraConfig(r=rank, target_modules=whole, inference_mode=True)
        inject_adapter_in_model(config, model, adapter, low_cpu_mem_usage=True)
        del model.peft_config  # only PEFT's own bookkeeping; it warns when it finds it again
        for path, pair in chosen.items():
            layer = cast("LoraLayer", model.get_submodule(path))
            _set_pair(layer, adapter, pair)
            added.append((layer, adapter, pair.scale))
    # PEFT leaves the newest adapter alone active, everywhere.
    for layer in _lora_layers(model):
        layer.set_adapter([name for name, factor in layer.scaling.items() if factor], inference_mode=True)
    return added


def _lora_layers(model: nn.Module) -> list[LoraLayer]:
    return [module for module in model.modules() if isinstance(module, LoraLayer)]


def _set_pair(layer: LoraLayer, adapter: str, pair: LoraPair) -> None:
    place = Place("", layer.get_base_layer(), "weight")
    device = place.stored.device
    for half, tensor in ((layer.lora_A, pair.down), (layer.lora_B, pair.up)):
        half[adapter].weight = nn.Parameter(tensor.to(device, place.dtype), requires_grad=False)
    layer.scaling[adapter] = 0.0
