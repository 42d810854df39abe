"""Names of LoRA keys are told apart from each other and from those of a model."""

import torch
from diffusers import WanVACETransformer3DModel
from torch import Tensor

from reelpatch.families.wan import names as wan_names
from reelpatch.weights.lora_keys import LayerNames, read_key

State = dict[str, Tensor]
RANK, ALPHA = 4, 2.0


def test_underscored_names_are_never_ambiguous() -> None:
    """Of a full-size model: no two layers are one when their dots become underscores, in either naming."""
    with torch.device("meta"):
        keys = WanVACETransformer3DModel(
            image_dim=1280, added_kv_proj_dim=5120, vace_layers=list(range(0, 40, 5)), vace_in_channels=96
        ).state_dict()
    meant = {key.removesuffix(".weight"): key for key in keys if key.endswith(".weight")}
    native = {wan_names.diffusers_to_native(layer): layer for layer in meant}
    found = LayerNames([f"{layer}.weight" for layer in native])
    for layer, other in native.items():
        for spelled in (layer, other):
            assert found.native(f"lora_unet_{spelled.replace('.', '_')}") == layer


def test_no_other_key_is_taken_for_a_loras() -> None:
    assert read_key("blocks.0.self_attn.q.weight") is None
    assert read_key("lora_unet_x") is None
    assert read_key("") is None
