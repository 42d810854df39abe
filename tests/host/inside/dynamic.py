"""The checks against core's model once more, with weights held as DynamicVRAM holds them, ComfyUI's manager on NVIDIA cards.

It makes linear layers without weights and puts those of the file in as they are; every layer casts when it computes.
Its reader of files and its place for weights on the card need a driver: the first is exchanged, the second is not here.
"""

from __future__ import annotations

from typing import Any

import comfy.memory_management
import comfy.model_patcher
import comfy.ops
import comfy.utils
import composition
import lora_by_step
import nodes_alone
import parity
import safetensors
import scaled
import tiny
import torch
from comfy.model_patcher import ModelPatcher

AGAIN = {
    parity: (
        *("check_bf16_files_with_guidance", "check_fp8_files_with_guidance", "check_without_guidance"),
        "check_two_edits_on_one_model_are_two_stacked_contexts",
        "check_the_module_of_a_merged_checkpoint_is_the_module",
    ),
    composition: (
        *(
            "check_guidance_schedule_equals_cfg_where_it_is_on_everywhere",
            "check_native_lora_before_and_after_apply",
        ),
        *("check_no_state_leaks_from_run_to_run", "check_two_modules_on_one_base_one_after_the_other"),
    ),
    lora_by_step: ("check_on_a_backbone", "check_on_an_edit_module"),
    scaled: ("check_the_older_style_equals_core",),
    nodes_alone: ("check_full_differences_change_the_model_and_come_off",),
}
comfy.memory_management.aimdo_enabled = True
comfy.model_patcher.CoreModelPatcher = comfy.model_patcher.ModelPatcherDynamic


def _load_safetensors(path: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safetensors.safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


def _casting(make: Any) -> Any:
    """What makes a MODEL or an edit module, whose layers then cast, as they do once they are loaded dynamically."""

    def made(*args: Any, **kwargs: Any) -> Any:
        found = make(*args, **kwargs)
        for one in found if isinstance(found, tuple) else (found,):
            for layer in one.model.modules() if isinstance(one, ModelPatcher) else ():
                if hasattr(layer, "comfy_cast_weights"):
                    layer.comfy_cast_weights = True
        return found

    return made


comfy.utils.load_safetensors = _load_safetensors
for suite in (tiny, *AGAIN):
    for name in {"call", "backbone", "merged"} & vars(suite).keys():
        setattr(suite, name, _casting(getattr(suite, name)))


def check_layers_are_held_that_way():
    """Without which nothing here would be another than where it stands."""
    assert comfy.ops.manual_cast.Linear(4, 4).weight is None
    layer = tiny.module().model.vace_blocks[0].self_attn.q
    assert (layer.weight.dtype, layer.comfy_cast_weights) == (torch.bfloat16, True)


def check_what_holds_elsewhere_holds_here():
    return {
        f"{suite.__name__}.{name}": getattr(suite, name)() for suite, names in AGAIN.items() for name in names
    }
