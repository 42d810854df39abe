"""Load edit module: weights beside the backbone, VACE's or an edit adapter's, placed by ComfyUI's own memory management."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.utils
import folder_paths
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from reelpatch.edits.adapter.module import AdapterModule
from reelpatch.edits.vace.module import LAYERS_KEY, VaceModule
from reelpatch.families.wan.layouts import is_of_module
from reelpatch.weights.header import Kind, KnownFile, expect

from .files import chosen_file, listed, missing_or_true, published
from .node_message import say
from .scaled import ScaledWeights, scaled_weights
from .scaled import operations as quantised_layers

FOLDER, PATCHES = "diffusion_models", "model_patches"
KINDS = (Kind.EDIT_MODULE, Kind.VACE, Kind.EDIT_ADAPTER)


class LoadEditModule(io.ComfyNode):
    """The module is a MODEL_PATCH of ComfyUI's: nothing of it is in memory until sampling asks for it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchLoadEditModule",
            display_name="Load edit module",
            category="reelpatch/loaders",
            description=(
                "Loads the edit module of a VACE-type file: Ditto, plain VACE, Fun-VACE, or the module of a merged VACE "
                "checkpoint, for Apply edit; or an edit adapter of EasyV2V's layout, for Edit in context."
            ),
            search_aliases=["ditto", "vace", "vdot", "module", "model patch"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=listed(FOLDER, PATCHES),
                    tooltip="A file in models/diffusion_models or models/model_patches, in bf16, fp16 or fp8, scaled or not.",
                )
            ],
            outputs=[
                io.ModelPatch.Output(
                    display_name="edit module",
                    tooltip="Connect it to Apply edit or Load LoRA; an edit adapter to Edit in context.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, file: object = "") -> bool | str:
        return missing_or_true(FOLDER, file, PATCHES)

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        found = folder_paths.get_full_path(FOLDER, file) or folder_paths.get_full_path_or_raise(PATCHES, file)
        module = load_edit_module(found)
        say(cls, f"{file}: {_told(module.model)}. Licence: {licence_of(found)}.")
        return io.NodeOutput(module)


def load_edit_module(path: str, disable_dynamic: bool = False) -> ModelPatcher:
    """The module in a patcher of its own, with ComfyUI's layers, its weights still on disk where that is possible.

    Raises: `BadInput` for another kind of file, keys that do not fit, and weights that are not finite.
    """
    file = chosen_file(Path(path), *KINDS)
    state = comfy.utils.load_torch_file(path, safe_load=True)
    module = _adapter(state, file) if file.kind is Kind.EDIT_ADAPTER else _vace_module(state, file)
    patcher_class = (
        comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    )
    patcher = patcher_class(
        module,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    patcher.cached_patcher_init = (load_edit_module, (path,))
    return patcher


def _adapter(state: Mapping[str, Tensor], file: KnownFile) -> AdapterModule:
    return AdapterModule.from_state_dict(
        {name: state[key] for name, key in file.keys.items()},
        metadata=file.metadata,
        operations=comfy.ops.manual_cast,
        layers_cast=True,
        source=str(file.path),
    )


def _vace_module(state: Mapping[str, Tensor], file: KnownFile) -> VaceModule:
    names = [name for name in file.keys if is_of_module(name)]
    read = (
        scaled_weights(state, file, names)
        if file.is_scaled
        else ScaledWeights({name: state[file.keys[name]] for name in names}, {})
    )
    return VaceModule.from_state_dict(
        read.weights,
        beside=read.beside,
        metadata=file.metadata,
        layers=_merged_layers(file),
        operations=quantised_layers() if read.beside else comfy.ops.manual_cast,
        layers_cast=True,
        source=str(file.path),
    )


def _told(module: Any) -> str:
    if isinstance(module, AdapterModule):
        lora = "with a LoRA for the backbone" if module.lora else "without a LoRA"
        return (
            f"edit adapter, {module.width} wide, {module.channels} channels, {lora}, places in time: "
            f"{module.layout.positions}"
        )
    config = module.config
    return (
        f"edit module, {config.dim} wide, {len(config.layers)} blocks after main blocks "
        f"{', '.join(map(str, config.layers))}"
    )


def _merged_layers(file: KnownFile) -> tuple[int, ...] | None:
    """Where the module of a merged checkpoint hangs: evenly over its main blocks, as core takes it too."""
    num_blocks, num_hints = file.count("blocks"), file.count("vace_blocks")
    if file.kind is not Kind.VACE or LAYERS_KEY in file.metadata:
        return None
    return tuple(range(0, num_blocks, num_blocks // num_hints))


def licence_of(path: str) -> str:
    """What the file says, else what is published about a file of this name."""
    metadata: Mapping[str, str] = expect(Path(path), *KINDS).metadata
    known = published(path)
    stated = metadata.get("licence") or metadata.get("license") or metadata.get("modelspec.license")
    return stated or (known.licence if known else "not stated in the file; see where it was published")
