"""Load backbone: core's own loading, for every published form of a Wan file for clips or for pictures."""

from pathlib import Path
from typing import Any

import comfy.sd
import comfy.utils
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from reelpatch.errors import BadInput
from reelpatch.families.wan.layouts import is_of_module
from reelpatch.weights.header import Kind, expect

from .demo_preview import show_true_colours
from .files import chosen_file, listed, missing_or_true
from .node_message import say

FROM_FILE, AUTO = "from file", "auto"
KINDS = (Kind.BACKBONE, Kind.VACE, Kind.IMAGE_BACKBONE, Kind.WIDE_BACKBONE)
STORAGE = {
    FROM_FILE: None,
    "fp8_e4m3fn": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
}
COMPUTE = {AUTO: None, "bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


class LoadBackbone(io.ComfyNode):
    """Any MODEL from any other loader does just as well in Apply edit."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchLoadBackbone",
            display_name="Load backbone",
            category="reelpatch/loaders",
            description=(
                "Loads a Wan text-to-video model (Wan2.1 14B and 1.3B, Wan2.2 A14B high or low, Wan2.2 TI2V-5B), or ChronoEdit for "
                "pictures, in native or diffusers naming. Of a merged VACE file it takes the backbone alone."
            ),
            search_aliases=["wan", "ditto", "vace", "vdot", "unet", "diffusion model"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=listed("diffusion_models"),
                    tooltip="A file in models/diffusion_models. Its header says what it is, not its name.",
                ),
                io.Combo.Input(
                    "storage",
                    options=list(STORAGE),
                    default=FROM_FILE,
                    tooltip=(
                        "How weights are kept in memory. 'from file' keeps them as published; fp8 halves the memory of "
                        "a bf16 file and rounds it. Has no effect on scaled fp8 files."
                    ),
                ),
                io.Combo.Input(
                    "compute",
                    options=list(COMPUTE),
                    default=AUTO,
                    advanced=True,
                    tooltip=(
                        "What is calculated in. 'auto' is ComfyUI's choice for the graphics card; bf16 is safe, fp16 "
                        "can overflow (NaN), fp32 takes twice the memory and time."
                    ),
                ),
            ],
            outputs=[
                io.Model.Output(
                    tooltip="The backbone; connect it to Load LoRA, Apply edit or Reasoning in time."
                )
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, file: object = "") -> bool | str:
        return missing_or_true("diffusion_models", file)

    @classmethod
    def execute(cls, file: str, storage: str, compute: str) -> io.NodeOutput:
        path = Path(folder_paths.get_full_path_or_raise("diffusion_models", file))
        known = chosen_file(path, *KINDS)
        model = load_backbone(str(path), {} if STORAGE[storage] is None else {"dtype": STORAGE[storage]})
        if COMPUTE[compute] is not None:
            model.set_model_compute_dtype(COMPUTE[compute])
        width = known.shape("patch_embedding.weight")[0]
        left_out = "; its VACE module is left out" if known.kind is Kind.VACE else ""
        say(
            cls,
            f"{file}: {known.kind.words}, {width} wide, {known.count('blocks')} blocks, "
            f"{known.num_bytes / 1e9:.1f} GB as {', '.join(sorted(known.dtypes))}{left_out}. "
            f"Kept as {storage}, computed in {compute}.",
        )
        return io.NodeOutput(model)


def load_backbone(path: str, model_options: dict[str, Any], disable_dynamic: bool = False) -> ModelPatcher:
    """The MODEL of a file that is known to be a backbone; core calls this again when it reloads one."""
    known = expect(Path(path), *KINDS)
    state, metadata = comfy.utils.load_torch_file(path, return_metadata=True)
    own = {name: state[key] for name, key in known.keys.items() if not is_of_module(name)}
    model = comfy.sd.load_diffusion_model_state_dict(
        own, model_options=model_options, metadata=metadata, disable_dynamic=disable_dynamic
    )
    if model is None:
        raise BadInput(
            f"{path} is {known.kind.words} of a size that ComfyUI does not know: choose another file."
        )
    show_true_colours(model, metadata)
    model.cached_patcher_init = (load_backbone, (path, model_options))
    return model
