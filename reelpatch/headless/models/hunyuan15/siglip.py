"""SigLIP, which sees pictures for HunyuanVideo-1.5, on transformers' implementation.

It sees all of a picture, brought to its square without regard to the aspect, as published.
"""

from collections.abc import Mapping
from math import isqrt
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import SiglipVisionConfig, SiglipVisionModel

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.errors import BadInput
from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.headless.models.fill import Precision, read_weights
from reelpatch.weights.header import KnownFile
from reelpatch.weights.weight_files import expect_weights

_HEAD_DIM = 72  # of SigLIP So400m, whose 16 heads no file tells of
_OWN = "vision_model."
_PATCHES, _POSITIONS = "embeddings.patch_embedding.weight", "embeddings.position_embedding.weight"
_LAYERS = "encoder.layers."


class Siglip:
    """Embeds pictures as HunyuanVideo-1.5 was trained to see them, in fp32 on the CPU."""

    def __init__(self, model: SiglipVisionModel, side_px: int) -> None:
        self._model, self._side = model, side_px

    @torch.no_grad()
    def embed(self, pictures: Tensor) -> Tensor:
        """What is seen of pictures [k, H, W, 3] in [0, 1], one after the other: [1, k * 729, 1152]."""
        seen = [
            self._model(pixel_values=squeezed(picture, self._side)).last_hidden_state for picture in pictures
        ]
        return torch.cat(seen, dim=1)


def squeezed(picture: Tensor, side: int) -> Tensor:
    """A picture [H, W, 3] in [0, 1] as SigLIP reads it: [1, 3, side, side], from -1 to 1.

    Source: transformers' `SiglipImageProcessor` with its usual settings.
    """
    square = Image.fromarray(to_bytes(picture)).resize((side, side), Image.Resampling.BICUBIC)
    return (torch.from_numpy(np.asarray(square, np.float32)) / 127.5 - 1).permute(2, 0, 1)[None]


def load_siglip(path: Path) -> Siglip:
    """The encoder of a SigLIP file in transformers' naming (`sigclip_vision_patch14_384.safetensors`); its head is left out.

    Raises: `BadInput` for files of another kind, and for keys that are missing or do not fit.
    """
    file = expect_weights(path, HunyuanFile.SIGLIP)
    names = [
        name
        for name in file.keys
        if name.startswith(_OWN) and not name.startswith(f"{_OWN}head.") and not name.endswith("position_ids")
    ]
    read = read_weights(file, names, precision=Precision(torch.float32), device=torch.device("cpu")).tensors
    tensors = {name.removeprefix(_OWN): tensor for name, tensor in read.items()}
    with torch.device("meta"):
        model = SiglipVisionModel(_config(file, tensors))
    state = model.state_dict()
    own = {name.removeprefix(_OWN): name for name in state if not name.endswith("position_ids")}
    _check(file, tensors, {name: tuple(state[key].shape) for name, key in own.items()})
    # Positions are counted, not stored; as a buffer they would stay on the meta device.
    embeddings = next(module for module in model.modules() if hasattr(module, "position_ids"))
    embeddings.position_ids = torch.arange(len(tensors[_POSITIONS]))[None]
    model.load_state_dict({key: tensors[name] for name, key in own.items()}, assign=True, strict=False)
    side = isqrt(len(tensors[_POSITIONS])) * tensors[_PATCHES].shape[-1]
    return Siglip(model.requires_grad_(False).eval(), side)


def _config(file: KnownFile, tensors: Mapping[str, Tensor]) -> SiglipVisionConfig:
    try:
        width, _, patch, _ = tensors[_PATCHES].shape
        rows, inner = len(tensors[_POSITIONS]), len(tensors[f"{_LAYERS}0.mlp.fc1.bias"])
    except (KeyError, ValueError) as error:
        raise BadInput(
            f"{file.path} looks like {file.kind.words} but lacks its embeddings; use a complete, unchanged file."
        ) from error
    if width % _HEAD_DIM:
        raise BadInput(
            f"{file.path} is {file.words}, {width} wide, but HunyuanVideo-1.5 goes with SigLIP So400m of 1152: get "
            "sigclip_vision_patch14_384.safetensors."
        )
    numbers = [int(name.removeprefix(_LAYERS).split(".")[0]) for name in tensors if name.startswith(_LAYERS)]
    return SiglipVisionConfig(
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=1 + max(numbers),
        num_attention_heads=width // _HEAD_DIM,
        image_size=isqrt(rows) * patch,
        patch_size=patch,
        vision_use_head=False,
    )


def _check(file: KnownFile, tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in expected.items():
        if name not in tensors or tuple(tensors[name].shape) != shape:
            found = f"has {_OWN}{name} of another shape" if name in tensors else f"lacks {_OWN}{name}"
            raise BadInput(
                f"{file.path} looks like {file.kind.words} but {found}; use a complete, unchanged file."
            )
