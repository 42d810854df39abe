"""The module of a method that Edit in context runs: VACE's for a pair canvas, an edit adapter, or none."""

from __future__ import annotations

from typing import Any

from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from reelpatch.edits.adapter.module import AdapterModule
from reelpatch.edits.vace.module import VaceModule
from reelpatch.errors import BadInput
from reelpatch.families.family import Family
from reelpatch.families.wan.family import WAN
from reelpatch.recipes import Recipe
from reelpatch.sampling.strengths import StrengthSchedule

from .host import check_backbone
from .lora import MODEL_PREFIX, apply_lora

_MODULES: dict[str, tuple[type[nn.Module], str]] = {
    "adapter": (AdapterModule, "an edit adapter (its authors published none; docs/files.md has the format)"),
    "canvas": (VaceModule, "the edit module of VACE 1.3B, with ReCo's LoRA by Load LoRA"),
}


def check_module(record: Recipe, edit_module: ModelPatcher | None, mask: Tensor | None) -> Any:
    """The method's module, None where it has none.

    Raises: `BadInput` for one that is missing or not wanted, and for a mask that does not go into the model.
    """
    module = None if edit_module is None else edit_module.model
    if record.kind in _MODULES:
        wanted, words = _MODULES[record.kind]
        if not isinstance(module, wanted):
            found = "none is connected" if module is None else f"a {type(module).__name__} is connected"
            raise BadInput(
                f"the recipe '{record.name}' needs {words}, but {found}: load it with Load edit module."
            )
    elif module is not None:
        raise BadInput(f"the recipe '{record.name}' has no edit module: disconnect it here, or use easyv2v.")
    if mask is not None and record.kind != "adapter":
        raise BadInput(
            f"the recipe '{record.name}' takes no mask into the model: disconnect it here, and give it to Finish clip, or use "
            "easyv2v."
        )
    return module


def check_fit(model: ModelPatcher, module: Any) -> Family:
    """The family of a MODEL that goes with a module, if there is one. Raises: `BadInput` for a MODEL of another size or VAE."""
    if isinstance(module, AdapterModule):
        return check_backbone(model, module.width, module.channels)
    if isinstance(module, VaceModule):
        return check_backbone(model, module.config.dim, WAN.lattice.channels)
    return check_backbone(model, None)


def with_lora(model: ModelPatcher, module: Any) -> ModelPatcher:
    """The MODEL with what an edit adapter changes in it. Raises: `BadInput` for changes that fit no layer."""
    if not isinstance(module, AdapterModule) or not module.lora:
        return model
    applied = apply_lora(model, module.lora, StrengthSchedule((1.0,)), prefix=MODEL_PREFIX, merge=False)
    if applied.lora.unmatched:
        key, reason = next(iter(applied.lora.unmatched.items()))
        raise BadInput(
            f"{len(applied.lora.unmatched)} keys of the edit adapter do not fit this MODEL ('{key}': {reason}): choose the backbone "
            "that it was trained on."
        )
    return applied.patcher
