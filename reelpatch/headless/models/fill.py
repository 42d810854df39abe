"""Reads weight files, memory-mapped, into models that were built without weights; no key is left over."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from reelpatch.errors import BadInput
from reelpatch.headless.models.stored_layers import hold_as_stored
from reelpatch.weights.completeness import check_dtype
from reelpatch.weights.finite import CHECKED_BYTES, is_finite
from reelpatch.weights.float8 import FLOAT8, Scaling, as_factor, widened
from reelpatch.weights.header import KnownFile
from reelpatch.weights.weight_files import open_tensors

# On the CPU, weights of larger files stay as they lie on disk and are widened at use; smaller ones are converted
# once, which computes faster and whose copy is no burden.
_CONVERTED_BYTES = 64 * 1024**2
_NUM_NAMED_KEYS = 3


@dataclass(frozen=True)
class Precision:
    """How weights are held: in `dtype`; in fp32 where a part of the native name is in `fp32`; as stored where the
    native name matches `stored` and the weight is fp8, or the CPU would have to copy a large file."""

    dtype: torch.dtype
    fp32: frozenset[str] = frozenset()
    stored: re.Pattern[str] = re.compile(r"(?!)")

    def target(self, name: str, found: torch.dtype, *, converts: bool) -> torch.dtype | None:
        """The dtype to widen to; None for a weight that stays as stored."""
        if self.fp32.intersection(name.split(".")):
            return torch.float32
        stays = found in FLOAT8 or not (converts or found is self.dtype)
        return None if stays and self.stored.fullmatch(name) else self.dtype


@dataclass(frozen=True)
class Weights:
    """Tensors by native name, and the fp32 factors of those among them that stay scaled fp8."""

    tensors: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    factors: dict[str, Tensor] = field(default_factory=dict[str, Tensor])


def read_weights(
    file: KnownFile, native_names: Collection[str], *, precision: Precision, device: torch.device
) -> Weights:
    """The named tensors of a file, on `device`. On the CPU a tensor whose dtype stays is the file's own pages.

    Raises: `BadInput` for dtypes and scales that are not read here, and for the first tensor that is not finite
    (files up to 2 GiB).
    """
    weights, scaling = Weights(), Scaling.of(file)
    converts = device.type != "cpu" or file.num_bytes <= _CONVERTED_BYTES
    with open_tensors(file, device) as read:
        for name in native_names:
            key = file.keys[name]
            if key in scaling.not_weights:
                continue
            check_dtype(file, key, file.tensors[key].dtype)
            tensor = read(key)
            if file.num_bytes <= CHECKED_BYTES and not is_finite(tensor):
                raise BadInput(f"{file.path} holds NaN or infinity in {key}; download or export it again.")
            factor = scaling.factors.get(key)
            if factor is not None:
                factor = as_factor(read(factor), len(tensor), source=f"{factor} of {file.path}")
            target = precision.target(name, tensor.dtype, converts=converts)
            weights.tensors[name] = tensor if target is None else widened(tensor, factor, target)
            if target is None and factor is not None:
                weights.factors[name] = factor
    return weights


Homes = str | tuple[str, ...]
"""The model's name for a tensor, or the names for equal parts of its rows, where a file has several layers in one."""


def fill(
    model: nn.Module,
    file: KnownFile,
    rename: Callable[[str], Homes],
    *,
    precision: Precision,
    device: torch.device,
    ignored: Collection[str] = (),
) -> None:
    """Gives a model that stands on the meta device the file's weights; `rename` makes its names of native ones.

    Raises: `BadInput` for keys that the model has no place for, that the file lacks or that have another shape,
    and as `read_weights`.
    """
    expected = dict(model.named_parameters())
    notes = Scaling.of(file).not_weights
    ignored = {*ignored, *(name for name, key in file.keys.items() if key in notes)}
    homes = _homes(file, rename, expected, ignored)
    weights = read_weights(file, homes, precision=precision, device=device)
    tensors, factors = (_housed(part, homes) for part in (weights.tensors, weights.factors))
    stored = {home for native, parts in homes.items() if precision.stored.fullmatch(native) for home in parts}
    for home, tensor in tensors.items():
        if home in stored and tensor.dtype is not precision.dtype:
            hold_as_stored(model, home.removesuffix(".weight"), precision.dtype)
    # A module that stands in two places has one parameter but two names; the second one is "missing", rightly.
    model.load_state_dict(tensors, assign=True, strict=False)
    set_factors(model, factors)
    model.requires_grad_(False).eval()


def _housed(tensors: Mapping[str, Tensor], homes: Mapping[str, tuple[str, ...]]) -> dict[str, Tensor]:
    """Tensors by the model's names; those of several layers in one are cut, which copies nothing."""
    housed: dict[str, Tensor] = {}
    for native, tensor in tensors.items():
        parts = homes[native]
        # A factor is one number for all rows, or one for each.
        is_cut = len(parts) > 1 and tensor.ndim > 0 and len(tensor) > 1
        cut = tensor.chunk(len(parts)) if is_cut else (tensor,) * len(parts)
        housed |= dict(zip(parts, cut, strict=True))
    return housed


def set_factors(model: nn.Module, factors: Mapping[str, Tensor]) -> None:
    """Gives each layer that holds a scaled fp8 weight, named by that weight, its factor."""
    for key, factor in factors.items():
        model.get_submodule(key.removesuffix(".weight")).register_buffer("factor", factor, persistent=False)


def _homes(
    file: KnownFile, rename: Callable[[str], Homes], expected: Mapping[str, Tensor], ignored: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """The model's names for each native one."""
    homes: dict[str, tuple[str, ...]] = {}
    strangers: list[str] = []
    for native in (native for native in file.keys if native not in ignored):
        try:
            found = rename(native)
        except KeyError:
            found = ()
        parts = (found,) if isinstance(found, str) else found
        if not parts or any(home not in expected for home in parts):
            strangers.append(file.keys[native])
        else:
            _check_shape(file, native, [tuple(expected[home].shape) for home in parts])
            homes[native] = parts
    missing = expected.keys() - {home for parts in homes.values() for home in parts}
    found = " and ".join(
        f"{what} {_some(sorted(keys))}"
        for what, keys in (("has unknown keys", strangers), ("lacks", missing))
        if keys
    )
    if found:
        raise BadInput(
            f"{file.path} looks like {file.kind.words} but {found}; use a complete, unchanged file."
        )
    return homes


def _check_shape(file: KnownFile, native: str, parts: list[tuple[int, ...]]) -> None:
    """Raises: `BadInput` for a tensor that is not as large as the parts that it is to be, one below the other."""
    asked = (sum(part[0] for part in parts), *parts[0][1:]) if len(parts) > 1 else parts[0]
    if file.shape(native) != asked:
        raise BadInput(
            f"{file.path} has {file.keys[native]} of shape {file.shape(native)} where its other keys "
            f"ask for {asked}; use a complete, unchanged file."
        )


def _some(keys: list[str]) -> str:
    num_more = len(keys) - _NUM_NAMED_KEYS
    return ", ".join(keys[:_NUM_NAMED_KEYS]) + (f" and {num_more} more" if num_more > 0 else "")
