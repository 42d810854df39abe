"""Turns a pickle of a merged VACE model, such as VDOT's, or of a LoRA into safetensors: checked first, then one tensor at a time."""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.tensor_info import TensorInfo
from reelpatch.families.wan.layouts import BACKBONE, VACE, fit, is_of_module
from reelpatch.families.wan.sizes import WITH_VACE
from reelpatch.progress import OnProgress
from reelpatch.weights.finite import is_finite
from reelpatch.weights.header import Kind, describe, require
from reelpatch.weights.lora_header import is_lora
from reelpatch.weights.pickles import open_pickle
from reelpatch.weights.safetensors_writer import SafetensorsWriter, num_bytes
from reelpatch.weights.storage import MARKER

Precision = Literal["bf16", "fp8", "fp8-scaled"]
Shapes = dict[str, tuple[torch.dtype, tuple[int, ...]]]

PRECISIONS: tuple[Precision, ...] = ("bf16", "fp8", "fp8-scaled")
# (D width, F feed-forward, I and O latent channels, T text, Q time, V context, blocks, VACE blocks)
PUBLISHED = {
    f"VACE-{size.name}": (
        size.dim,
        size.ffn_dim,
        16,
        16,
        4096,
        256,
        96,
        size.num_blocks,
        size.num_vace_blocks,
    )
    for size in WITH_VACE
}
_LETTERS = "DFIOTQV"
_FLOAT8 = torch.float8_e4m3fn
_LARGEST = torch.finfo(_FLOAT8).max
# What every published fp8 file holds in fp8; embeddings, norms, biases, modulation and the head stay wider.
_LINEAR = re.compile(
    r"(vace_)?blocks\.\d+\.((self|cross)_attn\.[qkvo]|ffn\.[02]|before_proj|after_proj)\.weight"
)
_SCALE = "scale_weight"
# ComfyUI reads a marker of two numbers as: widen the weights, do not round the activations to fp8 as well.
_MARKER_SHAPE = (2,)
_NUM_NAMED = 3
_MIB = 2**20
# The file is opened anew after so much of it, because pages of a mapped file count as memory until it is closed.
_MAPPED_BYTES = 2**30


@dataclass(frozen=True)
class Conversion:
    """What a pickle was found to be, and the files it becomes: each with its tensors, by name below the folder.

    Where it `keeps_dtypes`, as a LoRA does, tensors stay as they are.
    """

    source: Path
    model: str
    num_parameters: int
    num_vace_blocks: int
    precision: Precision
    files: Mapping[str, Shapes]
    metadata: Mapping[str, Mapping[str, str]]
    any_size: bool = False
    keeps_dtypes: bool = False

    @property
    def num_bytes(self) -> int:
        """Of all files together, but for their headers."""
        return sum(num_bytes(*tensor) for shapes in self.files.values() for tensor in shapes.values())

    def describe(self) -> str:
        """One sentence for the person who waits for it."""
        return (
            f"{self.source} is {self.model} with {self.num_parameters / 1e9:.2f} billion numbers; it becomes "
            f"{self.num_bytes / 1e9:.1f} GB {'as it is' if self.keeps_dtypes else f'in {self.precision}'}: "
            f"{' and '.join(self.files)}."
        )


def plan_conversion(
    source: Path,
    precision: Precision,
    *,
    merged: bool = False,
    module_metadata: Mapping[str, str] | None = None,
    any_size: bool = False,
) -> Conversion:
    """Checks every key and shape of the pickle; only the list of its tensors is read, and nothing is written.

    `module_metadata` goes into the file with the edit module, and says that a model of unpublished size is meant;
    `any_size` lifts the bounds on what the pickle may unpack to.

    Raises: `BadInput` as `open_pickle`, for keys that are missing or too many, and shapes that do not fit together or
    are no published model's.
    """
    weights = open_pickle(source, any_size=any_size)
    if is_lora(weights):
        return _of_lora(weights, source, precision, any_size=any_size)
    model = _verified(weights, source, is_size_free=module_metadata is not None)
    module = set(filter(is_of_module, weights))
    suffix = precision.replace("-", "_")
    stem = source.stem
    parts = (
        {f"{stem}_{suffix}": set(weights)}
        if merged
        else {
            f"{stem}_base_{suffix}": set(weights) - module,
            f"{stem}_module_{suffix}": module,
        }
    )
    files: dict[str, Shapes] = {}
    for part, names in parts.items():
        files[f"{part}.safetensors"] = dict(
            stored for name in names for stored in _stored(name, tuple(weights[name].shape), precision)
        )
        if precision == "fp8-scaled":
            files[f"{part}.safetensors"][MARKER] = (_FLOAT8, _MARKER_SHAPE)
    of_module = list(files)[-1]
    return Conversion(
        source,
        model,
        sum(tensor.numel() for tensor in weights.values()),
        _count(weights, "vace_blocks"),
        precision,
        files,
        {
            name: {"format": "pt"} | dict((module_metadata or {}) if name == of_module else {})
            for name in files
        },
        any_size,
    )


def _of_lora(
    weights: Mapping[str, Tensor], source: Path, precision: Precision, *, any_size: bool
) -> Conversion:
    """The conversion of a LoRA, as one file with all that it holds."""
    file = require(describe(source, _infos(weights), {}), Kind.LORA)
    name = f"{source.stem}.safetensors"
    shapes = {key: (tensor.dtype, tuple(tensor.shape)) for key, tensor in weights.items()}
    return Conversion(
        source,
        file.words,
        sum(tensor.numel() for tensor in weights.values()),
        0,
        precision,
        {name: shapes},
        {name: {"format": "pt"}},
        any_size,
        keeps_dtypes=True,
    )


def convert(conversion: Conversion, folder: Path, on_progress: OnProgress) -> list[Path]:
    """Writes the planned files into the folder, which is made if needed; files of these names are replaced.

    Guarantees: all of them or none; what was there before stays until all are complete.
    Raises: `BadInput` for a folder that is closed, full or too small, for NaN, and for numbers too large for fp8.
    Cost: one tensor and 1 GiB of mapped file in memory.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    parts = {name: folder / f".{name}.part" for name in conversion.files}
    is_done = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder, conversion)
        with ExitStack() as stack:
            writers: dict[str, SafetensorsWriter] = {}
            for name, part in parts.items():
                writers[name] = SafetensorsWriter(part, conversion.files[name], conversion.metadata[name])
                stack.callback(writers[name].abandon)
            _write_all(conversion, writers, on_progress)
            for writer in writers.values():
                writer.close()
        for name, part in parts.items():
            part.replace(folder / name)
        is_done = True
    except OSError as error:
        raise BadInput(
            f"the files cannot be written to {folder} ({error.strerror}): choose another folder.",
            setting="out",
        ) from error
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
        for one in [] if is_done else made:
            with suppress(OSError):  # never made, or someone else uses it by now
                one.rmdir()
    return [folder / name for name in parts]


def _verified(weights: Mapping[str, Tensor], source: Path, *, is_size_free: bool) -> str:
    """What model it is."""
    found = fit(BACKBONE | VACE, _infos(weights))
    faults = " and ".join(
        f"{what} {_some(names)}"
        for what, names in (
            ("lacks", found.missing),
            ("has the unknown keys", found.unknown),
            ("has other shapes than expected under", found.misshapen),
        )
        if names
    )
    if faults:
        raise BadInput(f"{source} is no complete VACE model: it {faults}; get an unchanged file.")
    sizes = (
        *(found.sizes[letter] for letter in _LETTERS),
        _count(weights, "blocks"),
        _count(weights, "vace_blocks"),
    )
    for model, published in PUBLISHED.items():
        if sizes == published:
            return model
    width, blocks, vace_blocks = sizes[0], sizes[-2], sizes[-1]
    if not is_size_free:
        known = " nor ".join(f"{name} ({of[0]}, {of[-2]}, {of[-1]})" for name, of in PUBLISHED.items())
        raise BadInput(
            f"{source} is {width} wide with {blocks} blocks and {vace_blocks} VACE blocks, which is neither {known}: "
            "get a complete file, or name the blocks its VACE blocks belong to.",
            setting="vace_layers",
        )
    return f"a VACE model of width {width}"


def _infos(weights: Mapping[str, Tensor]) -> dict[str, TensorInfo]:
    return {
        name: TensorInfo(str(tensor.dtype), tuple(tensor.shape), tensor.nbytes)
        for name, tensor in weights.items()
    }


def _count(weights: Mapping[str, Tensor], stack: str) -> int:
    return 1 + max(int(name.split(".")[1]) for name in weights if name.startswith(f"{stack}."))


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _NUM_NAMED
    return ", ".join(names[:_NUM_NAMED]) + (f" and {more} more" if more > 0 else "")


def _stored(
    name: str, shape: tuple[int, ...], precision: Precision
) -> Iterator[tuple[str, tuple[torch.dtype, tuple[int, ...]]]]:
    is_float8 = precision != "bf16" and _LINEAR.fullmatch(name) is not None
    yield name, (_FLOAT8 if is_float8 else torch.bfloat16, shape)
    if is_float8 and precision == "fp8-scaled":
        yield _scale_key(name), (torch.float32, ())


def _scale_key(name: str) -> str:
    return f"{name.removesuffix('.weight')}.{_SCALE}"


def _check_room(folder: Path, conversion: Conversion) -> None:
    free = shutil.disk_usage(folder).free
    if free < conversion.num_bytes:
        raise BadInput(
            f"{folder} has {free / 1e9:.1f} GB free, but the files take {conversion.num_bytes / 1e9:.1f} GB: make "
            "room, or choose another folder.",
            setting="out",
        )


def _write_all(
    conversion: Conversion, writers: Mapping[str, SafetensorsWriter], on_progress: OnProgress
) -> None:
    home = {tensor: writers[name] for name, shapes in conversion.files.items() for tensor in shapes}
    for writer, shapes in zip(writers.values(), conversion.files.values(), strict=True):
        if MARKER in shapes:
            writer.write(MARKER, torch.zeros(_MARKER_SHAPE).to(_FLOAT8))
    opened = open_pickle(conversion.source, any_size=conversion.any_size)
    sizes = {name: tensor.nbytes for name, tensor in opened.items()}
    del opened
    total, done = sum(sizes.values()), 0
    on_progress("converting (MiB)", 0, total // _MIB)
    for batch in _batches(sizes):
        weights = open_pickle(conversion.source, any_size=conversion.any_size)
        for name in batch:
            for key, tensor in _converted(name, weights.pop(name), conversion):
                home[key].write(key, tensor)
            done += sizes[name]
            on_progress("converting (MiB)", done // _MIB, total // _MIB)


def _batches(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """The names in the order of the file, in groups that are small enough to be mapped together."""
    batch: list[str] = []
    room = _MAPPED_BYTES
    for name, size in sizes.items():
        if batch and size > room:
            yield batch
            batch, room = [], _MAPPED_BYTES
        batch.append(name)
        room -= size
    yield batch


def _converted(name: str, tensor: Tensor, conversion: Conversion) -> Iterator[tuple[str, Tensor]]:
    if not is_finite(tensor):
        raise BadInput(f"{conversion.source} holds NaN or infinity in '{name}': download it again.")
    if conversion.keeps_dtypes:
        yield name, tensor.contiguous()
        return
    if conversion.precision == "bf16" or _LINEAR.fullmatch(name) is None:
        yield name, tensor.to(torch.bfloat16)
        return
    low, high = tensor.float().aminmax()
    largest = max(-float(low), float(high))
    if conversion.precision == "fp8-scaled":
        scale = torch.tensor(largest / _LARGEST if largest else 1.0)
        yield _scale_key(name), scale
        yield name, (tensor.float() / scale).clamp_(-_LARGEST, _LARGEST).to(_FLOAT8)
        return
    if largest > _LARGEST:
        raise BadInput(
            f"{conversion.source} has a weight of {largest:g} in '{name}', more than fp8 can hold: choose "
            "fp8-scaled or bf16.",
            setting="dtype",
        )
    yield name, tensor.to(_FLOAT8)
