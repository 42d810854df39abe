"""The CLIP picture encoder of Wan2.1's image-to-video backbones (ViT-H), on transformers' implementation.

It sees the middle square of a picture: the short side is brought to 224 pixels, and what the long side has beyond is cut off
at both ends, as published. The VAE sees all of the picture.
"""

import re
from collections.abc import Iterator, Mapping
from math import isqrt
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModel

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.errors import BadInput
from reelpatch.headless.models.fill import Precision, read_weights
from reelpatch.weights.header import Kind, KnownFile
from reelpatch.weights.weight_files import expect_weights

_HEAD_DIM = 80  # of ViT-H, whose 16 heads no file tells of
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_OWN, _WAN = "vision_model.", "visual."
_PATCHES, _POSITIONS = "embeddings.patch_embedding.weight", "embeddings.position_embedding.weight"
_LAYER = re.compile(r"encoder\.layers\.(\d+)\.")
# As the Wan authors' files call what transformers has under the names behind.
_WAN_NAMES = (
    (re.compile(r"patch_embedding"), "embeddings.patch_embedding"),
    (re.compile(r"cls_embedding"), "embeddings.class_embedding"),
    (re.compile(r"pos_embedding"), "embeddings.position_embedding.weight"),
    (re.compile(r"pre_norm"), "pre_layrnorm"),
    (re.compile(r"post_norm"), "post_layernorm"),
    (re.compile(r"transformer\.(\d+)\.norm"), r"encoder.layers.\1.layer_norm"),
    (re.compile(r"transformer\.(\d+)\.attn\.proj"), r"encoder.layers.\1.self_attn.out_proj"),
    (re.compile(r"transformer\.(\d+)\.attn\.to_qkv"), r"encoder.layers.\1.self_attn.qkv"),
    (re.compile(r"transformer\.(\d+)\.mlp\.0"), r"encoder.layers.\1.mlp.fc1"),
    (re.compile(r"transformer\.(\d+)\.mlp\.2"), r"encoder.layers.\1.mlp.fc2"),
)


class PictureEncoder:
    """Embeds pictures as image-to-video backbones were trained to see them, in fp32 on the CPU.

    `model` has all layers but the last, whose output is not what they see.
    """

    def __init__(self, model: CLIPVisionModel, side_px: int) -> None:
        self._model, self._side = model, side_px

    @torch.no_grad()
    def embed(self, picture: Tensor) -> Tensor:
        """The embedding [1, 257, 1280] of a picture [H, W, 3] in [0, 1]: of its middle square."""
        return self._model(pixel_values=middle_square(picture, self._side)).last_hidden_state


def middle_square(picture: Tensor, side: int) -> Tensor:
    """The middle of a picture [H, W, 3] in [0, 1], as CLIP reads it: [1, 3, side, side], normalised.

    Source: transformers' `CLIPImageProcessor` with its usual settings.
    """
    image = Image.fromarray(to_bytes(picture))
    short = min(image.size)
    width, height = (int(side * length / short) for length in image.size)
    left, top = (width - side) // 2, (height - side) // 2
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    square = np.asarray(image.crop((left, top, left + side, top + side)), np.float32) / 255
    normal = (torch.from_numpy(square) - torch.tensor(_MEAN)) / torch.tensor(_STD)
    return normal.permute(2, 0, 1)[None]


def load_picture_encoder(path: Path) -> PictureEncoder:
    """The encoder of a CLIP ViT-H file, in transformers' naming (`clip_vision_h.safetensors`) or in Wan's.

    Raises: `BadInput` for files of another kind, and for keys that are missing or do not fit.
    """
    file = expect_weights(path, Kind.CLIP_VISION)
    names = [
        name for name in file.keys if name.startswith((_OWN, _WAN)) and not name.endswith("position_ids")
    ]
    read = read_weights(file, names, precision=Precision(torch.float32), device=torch.device("cpu"))
    tensors = dict(_renamed(read.tensors))
    num_layers = 1 + max((int(found[1]) for name in tensors if (found := _LAYER.match(name))), default=-1)
    with torch.device("meta"):
        model = CLIPVisionModel(_config(file, tensors, num_layers - 1))
    state = model.state_dict()
    own = {name.removeprefix(_OWN): name for name in state}
    _check(file, tensors, {name: tuple(state[key].shape) for name, key in own.items()})
    # Positions are counted, not stored; as a buffer they would stay on the meta device.
    embeddings = next(module for module in model.modules() if hasattr(module, "position_ids"))
    embeddings.position_ids = torch.arange(len(tensors[_POSITIONS]))[None]
    model.load_state_dict(
        {key: tensors[name] for name, key in own.items() if name in tensors}, assign=True, strict=False
    )
    rows, patch = len(tensors[_POSITIONS]), tensors[_PATCHES].shape[-1]
    return PictureEncoder(model.requires_grad_(False).eval(), isqrt(rows - 1) * patch)


def _config(file: KnownFile, tensors: Mapping[str, Tensor], num_layers: int) -> CLIPVisionConfig:
    try:
        width, _, patch, _ = tensors[_PATCHES].shape
        rows = len(tensors[_POSITIONS])
        inner = len(tensors["encoder.layers.0.mlp.fc1.bias"])
    except (KeyError, ValueError) as error:
        raise BadInput(
            f"{file.path} looks like {file.kind.words} but lacks its embeddings; use a complete, unchanged file."
        ) from error
    if width % _HEAD_DIM or num_layers < 1:
        raise BadInput(
            f"{file.path} is {file.words}, {width} wide, but image-to-video backbones go with ViT-H: get "
            "clip_vision_h.safetensors."
        )
    return CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=num_layers,
        num_attention_heads=width // _HEAD_DIM,
        image_size=isqrt(rows - 1) * patch,
        patch_size=patch,
        hidden_act="gelu",
    )


def _renamed(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The tensors under transformers' names, without what all of them begin with."""
    for name, tensor in tensors.items():
        if name.startswith(_OWN):
            yield name.removeprefix(_OWN), tensor
            continue
        new = name.removeprefix(_WAN)
        for pattern, spelled in _WAN_NAMES:
            new = pattern.sub(spelled, new)
        if ".qkv." in new:
            for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                yield new.replace(".qkv.", f".{part}_proj."), piece
        elif new != "head":
            yield new, tensor.squeeze() if "class_" in new else tensor.squeeze(0)


def _check(file: KnownFile, tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in expected.items():
        if name.endswith("position_ids"):
            continue
        if name not in tensors or tuple(tensors[name].shape) != shape:
            found = f"has {name} of another shape" if name in tensors else f"lacks {name}"
            raise BadInput(
                f"{file.path} looks like {file.kind.words} but {found}; use a complete, unchanged file."
            )
