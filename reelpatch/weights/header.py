"""What a weight file is, told from its safetensors header alone: no tensor is read, no file name is trusted."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.weights import names

FLOAT8 = frozenset({"F8_E4M3", "F8_E5M2"})  # as safetensors spells them

_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000  # the safetensors library's own limit
_OTHER_FORMATS = {
    b"PK\x03\x04": "is a torch pickle (.pth, .pt)",
    b"\x80\x02": "is a torch pickle (.pth, .pt)",
    b"GGUF": "is a GGUF file",
    b"version ": "is a Git LFS pointer, not the weights themselves",
}
_LORA_PARTS = (".lora_A.", ".lora_B.", ".lora_down.", ".lora_up.")
_SCALES = (".scale_weight", ".weight_scale", ".comfy_quant", "scaled_fp8")
_OTHER_INPUTS = (
    36,
    48,
)  # channels: noise, mask and image of image-to-video; the latents of Wan2.2's 5B model


class Kind(Enum):
    """What a file holds: the words for it, and the ComfyUI models folder where it belongs."""

    BACKBONE = ("a Wan text-to-video backbone", "diffusion_models")
    VACE = ("a Wan backbone with its VACE edit module merged in", "diffusion_models")
    EDIT_MODULE = ("a VACE edit module", "diffusion_models")
    OTHER_BACKBONE = ("a Wan backbone for image-to-video or for the 48-channel VAE", "diffusion_models")
    LORA = ("a LoRA", "loras")
    VAE21 = ("a Wan2.1 VAE", "vae")
    VAE22 = ("a Wan2.2 VAE of 48 channels", "vae")
    UMT5 = ("a UMT5 text encoder", "text_encoders")
    UNKNOWN = ("something that no loader here knows", "")

    def __init__(self, words: str, folder: str) -> None:
        self.words = words
        self.folder = folder


_VAES = {16: Kind.VAE21, 48: Kind.VAE22}  # by latent channels


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a header; dtype as safetensors spells it (`F32`, `BF16`, `F8_E4M3`)."""

    dtype: str
    shape: tuple[int, ...]
    num_bytes: int


@dataclass(frozen=True)
class KnownFile:
    """A weight file, known by its header.

    `keys` maps native names (see `weights.names`) to the file's own; a name that no table has stands for itself.
    """

    path: Path
    kind: Kind
    tensors: Mapping[str, TensorInfo]
    keys: Mapping[str, str]
    metadata: Mapping[str, str]

    def shape(self, native: str) -> tuple[int, ...]:
        """The tensor's shape; `BadInput` names the file and the key when it is not there."""
        if native not in self.keys:
            raise BadInput(
                f"{self.path} lacks {native}, which {self.kind.words} must have; download it again."
            )
        return self.tensors[self.keys[native]].shape

    def count(self, stack: str) -> int:
        """How many numbered blocks are stacked under this name (`blocks`, `vace_blocks`)."""
        return 1 + max(
            (int(name.split(".")[1]) for name in self.keys if name.startswith(f"{stack}.")), default=-1
        )

    @cached_property
    def num_bytes(self) -> int:
        return sum(info.num_bytes for info in self.tensors.values())

    @cached_property
    def dtypes(self) -> frozenset[str]:
        return frozenset(info.dtype for info in self.tensors.values())

    @cached_property
    def is_scaled(self) -> bool:
        """Whether fp8 weights come with scales, so that a plain upcast would be wrong."""
        return any(key.endswith(_SCALES) for key in self.tensors)


def read_header(path: Path) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises: `BadInput` for a missing, foreign or damaged file, and for one that is shorter than its header says.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_LENGTH_BYTES)
            num_header_bytes = int.from_bytes(start, "little")
            _refuse_other_formats(path, start, num_header_bytes)
            text = file.read(num_header_bytes)
        num_file_bytes = path.stat().st_size
    except OSError as error:
        raise BadInput(f"The weight file {path} can't be read ({error.strerror}); check the path.") from error
    if len(text) < num_header_bytes:
        raise BadInput(
            f"{path} ends within its own header ({num_file_bytes} bytes); download the file again."
        )
    try:
        entries: dict[str, Any] = json.loads(text)
        metadata = {str(key): str(value) for key, value in entries.pop("__metadata__", {}).items()}
        tensors = dict(_tensors(entries))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"The header of {path} is damaged ({error}); download the file again.") from error
    num_bytes = _LENGTH_BYTES + num_header_bytes + sum(info.num_bytes for info in tensors.values())
    if num_file_bytes < num_bytes:
        raise BadInput(
            f"{path} is cut short: it has {num_file_bytes} bytes of {num_bytes}; download the file again."
        )
    return tensors, metadata


def _refuse_other_formats(path: Path, start: bytes, num_header_bytes: int) -> None:
    for magic, what in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise BadInput(f"{path} {what}; a .safetensors file is needed.")
    if len(start) < _LENGTH_BYTES or not 0 < num_header_bytes <= _MAX_HEADER_BYTES:
        raise BadInput(f"{path} is not a safetensors file, or is damaged; download the file again.")


def _tensors(entries: dict[str, Any]) -> Iterator[tuple[str, TensorInfo]]:
    for key, entry in entries.items():
        begin, end = entry["data_offsets"]
        shape = tuple(int(size) for size in entry["shape"])
        if not 0 <= begin <= end:
            raise ValueError(f"the offsets of {key} are reversed")
        yield key, TensorInfo(str(entry["dtype"]), shape, end - begin)


def identify(path: Path) -> KnownFile:
    """What the file holds, under native names; `BadInput` where it can't be read as safetensors."""
    tensors, metadata = read_header(path)
    table = _table(tensors)
    keys: dict[str, str] = {}
    for key in tensors:
        stripped = names.strip_prefix(key)
        try:
            keys[table(stripped) if table else stripped] = key
        except KeyError:
            keys[stripped] = key
    file = KnownFile(path, Kind.UNKNOWN, tensors, keys, metadata)
    return KnownFile(path, _kind(file), tensors, keys, metadata)


def expect(path: Path, *kinds: Kind) -> KnownFile:
    """The file at `path` if it is of one of these kinds; `BadInput` says what it is and where it belongs."""
    file = identify(path)
    if file.kind in kinds:
        return file
    wanted = " or ".join(kind.words for kind in kinds)
    home = f" and belongs in the models folder {file.kind.folder!r}" if file.kind.folder else ""
    raise BadInput(f"{path} is {file.kind.words}{home}; {wanted} is needed here.")


def _table(keys: Mapping[str, TensorInfo]) -> names.Naming | None:
    """The table that gives these keys their native names; None where they have them already."""
    stripped = {names.strip_prefix(key) for key in keys}
    if "condition_embedder.time_proj.weight" in stripped or "vace_blocks.0.proj_out.weight" in stripped:
        return names.diffusers_to_native
    if "decoder.norm_out.gamma" in stripped:
        return names.vae_diffusers_to_native
    if "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight" in stripped:
        return names.umt5_hf_to_wan
    return None


def _kind(file: KnownFile) -> Kind:
    has = file.keys.__contains__
    if any(part in key for key in file.tensors for part in _LORA_PARTS):
        return Kind.LORA
    if has("patch_embedding.weight") and has("head.modulation"):
        return _backbone_kind(file)
    if has("vace_blocks.0.after_proj.weight"):
        return Kind.EDIT_MODULE
    if has("decoder.head.0.gamma") and has("conv2.weight"):
        return _VAES.get(file.shape("conv2.weight")[0], Kind.UNKNOWN)
    if has("token_embedding.weight") and has("blocks.0.pos_embedding.embedding.weight"):
        return Kind.UMT5
    return Kind.UNKNOWN


def _backbone_kind(file: KnownFile) -> Kind:
    if "img_emb.proj.1.weight" in file.keys or file.shape("patch_embedding.weight")[1] in _OTHER_INPUTS:
        return Kind.OTHER_BACKBONE
    return Kind.VACE if "vace_patch_embedding.weight" in file.keys else Kind.BACKBONE
