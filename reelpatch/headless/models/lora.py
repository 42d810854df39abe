"""LoRAs on loaded models: beside the weights, so that fp8 stays what it is and undoing is exact, or merged if asked."""

import logging
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reelpatch.errors import BadInput
from reelpatch.headless.models.lora_side_path import Place, SidePath, find_places, remove_side_paths
from reelpatch.sampling.strengths import StrengthSchedule
from reelpatch.weights.finite import is_finite
from reelpatch.weights.float8 import widened
from reelpatch.weights.header import Kind, identify
from reelpatch.weights.hunyuan_lora import in_own_names
from reelpatch.weights.lora import Lora, match_lora
from reelpatch.weights.lora_alpha import METADATA_KEY, PeftConfig
from reelpatch.weights.lora_keys import read_key
from reelpatch.weights.rounding import round_stochastically
from reelpatch.weights.weight_files import expect_weights, is_pickle, open_tensors

# PEFT saves these two into a folder of their own; no other file takes its settings from beside it.
_PEFT_WEIGHTS, _PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
_HUNYUAN_BLOCKS = "transformer_blocks."
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoraReport:
    """What became of a LoRA file: how many layers it changes, and why its other keys are not used."""

    path: Path
    num_layers: int
    unmatched: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """In plain types, for `--json`."""
        return {"file": str(self.path), "layers": self.num_layers, "unmatched": dict(self.unmatched)}

    def describe(self) -> str:
        """One sentence, with the reasons and the first key of each."""
        text = f"{self.path.name} changes {self.num_layers} layers"
        counts = Counter(self.unmatched.values())
        first: dict[str, str] = {}
        for key, reason in self.unmatched.items():
            first.setdefault(reason, key)
        found = "; ".join(f"{counts[reason]} ({key}, ...): {reason}" for reason, key in first.items())
        return f"{text}; {len(self.unmatched)} of its keys are not used: {found}." if found else f"{text}."


@dataclass(frozen=True)
class AppliedLora:
    """A LoRA at work on one or more models."""

    report: LoraReport
    strengths: StrengthSchedule
    paths: tuple[SidePath, ...]

    def at_step(self, step: int, num_steps: int) -> None:
        """Gives the models the strength of this step."""
        for path in self.paths:
            path.set_strength(self.strengths.at(step, num_steps))


def apply_lora(
    models: nn.Module | Sequence[nn.Module], path: Path, strength: float | StrengthSchedule = 1.0
) -> AppliedLora:
    """Puts a LoRA beside the weights of those layers of a backbone, an edit module or both that it names.

    LoRAs add up. A schedule starts with its first strength; `at_step` goes on from there.
    Raises: `BadInput` for a file of another kind, one that fits no layer, or one with NaN in it.
    """
    strengths = strength if isinstance(strength, StrengthSchedule) else StrengthSchedule((strength,))
    models = [models] if isinstance(models, nn.Module) else models
    places = [find_places(model) for model in models]
    lora = _read(path, {name: place for of_model in places for name, place in of_model.items()})
    paths = tuple(
        SidePath(model, of_model, _part(lora, of_model))
        for model, of_model in zip(models, places, strict=True)
    )
    for side_path in paths:
        side_path.set_strength(strengths.values[0])
    return AppliedLora(_report(path, lora), strengths, paths)


def remove_lora(model: nn.Module) -> None:
    """Takes every LoRA off again that was put beside; the model computes what it did before, bit for bit."""
    remove_side_paths(model)


def merge_lora(
    models: nn.Module | Sequence[nn.Module], path: Path, strength: float = 1.0, *, seed: int = 0
) -> LoraReport:
    """Adds a LoRA to the weights themselves, which is as fast as no LoRA, and can't be undone.

    Sums are made in fp32; dtypes narrower than that are rounded stochastically, by `seed` and the layer's name.
    Raises: `BadInput` as `apply_lora`. Cost: one layer in fp32 at a time; mapped weights become memory.
    """
    models = [models] if isinstance(models, nn.Module) else models
    places = {name: place for model in models for name, place in find_places(model).items()}
    lora = _read(path, places)
    for layer, change in (*lora.pairs.items(), *lora.factored.items()):
        _add_to(places[f"{layer}.weight"], strength * change.product(), _generator(seed, layer))
    for name, delta in lora.deltas.items():
        _add_to(places[name], strength * delta.float(), _generator(seed, name))
    return _report(path, lora)


def _read(path: Path, places: Mapping[str, Place]) -> Lora:
    """What of the file fits these places, looked through for NaN."""
    has_it_within = not is_pickle(path) and identify(path).kind is Kind.EDIT_ADAPTER
    file = expect_weights(path, Kind.EDIT_ADAPTER if has_it_within else Kind.LORA)
    keys = [key for key in file.tensors if not has_it_within or read_key(key) is not None]
    with open_tensors(file, torch.device("cpu")) as read:
        state = {key: read(key) for key in keys}
    if any(name.startswith(_HUNYUAN_BLOCKS) for name in places):
        state = in_own_names(state)
    shapes = {name: tuple(place.stored.shape) for name, place in places.items()}
    lora = match_lora(state, shapes, _peft_config(path, file.metadata))
    if not lora.num_layers:
        key, reason = next(iter(lora.unmatched.items()))
        raise BadInput(
            f"The LoRA {path} fits no layer here: none of its {len(state)} keys is used ({key}: {reason}); "
            "choose one that was made for this model."
        )
    scales = ((layer, change.scale) for layer, change in (*lora.pairs.items(), *lora.factored.items()))
    broken = [name for name, scale in scales if not math.isfinite(scale)]
    broken += [name for name, tensor in lora.tensors() if not is_finite(tensor)]
    if broken:
        raise BadInput(f"The LoRA {path} holds NaN or infinity for {broken[0]}; download it again.")
    return lora


def _peft_config(path: Path, metadata: Mapping[str, str]) -> PeftConfig | None:
    """The settings within the file, else those that PEFT puts beside it."""
    if METADATA_KEY in metadata:
        return PeftConfig.from_json(metadata[METADATA_KEY], f"{path} (its metadata)")
    beside = path.with_name(_PEFT_CONFIG)
    if path.name != _PEFT_WEIGHTS:
        return None
    try:
        text = beside.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The LoRA settings in {beside} can't be read ({error}); get them again.") from error
    return PeftConfig.from_json(text, str(beside))


def _part(lora: Lora, places: Mapping[str, Place]) -> Lora:
    """What of a LoRA belongs to these places."""
    pairs = {layer: pair for layer, pair in lora.pairs.items() if f"{layer}.weight" in places}
    factored = {layer: change for layer, change in lora.factored.items() if f"{layer}.weight" in places}
    return Lora(pairs, {name: delta for name, delta in lora.deltas.items() if name in places}, {}, factored)


def _report(path: Path, lora: Lora) -> LoraReport:
    report = LoraReport(path, lora.num_layers, lora.unmatched)
    _log.log(logging.WARNING if report.unmatched else logging.INFO, "%s", report.describe())
    return report


def _add_to(place: Place, delta: Tensor, generator: torch.Generator) -> None:
    # A new tensor: the old one may be the file's own pages.
    module, name = place.holder
    weight, factor = place.stored, place.factor
    total = widened(weight, factor, torch.float32) + delta.to(weight.device)
    if factor is not None:
        # Scaled weights fill the range of fp8: where the sum has left it, the factor grows along.
        largest = total.abs().amax(1, keepdim=True) if len(factor) > 1 else total.abs().max().view(1, 1)
        factor = torch.maximum(factor, largest / torch.finfo(weight.dtype).max)
        place.module.register_buffer("factor", factor, persistent=False)
        total = total / factor.clamp(min=torch.finfo(torch.float32).tiny)
    rounded = round_stochastically(total, weight.dtype, generator)
    setattr(module, name, nn.Parameter(rounded, requires_grad=False))


def _generator(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
