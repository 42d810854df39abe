"""Reads weight files, memory-mapped, into models that were built without weights; no key is left over."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from safetensors import safe_open
from torch import Tensor, nn

from reelpatch.errors import BadInput
from reelpatch.headless.float8 import FLOAT8, widen_at_use
from reelpatch.weights.finite import is_finite
from reelpatch.weights.header import KnownFile

# Looking at every value costs a full read. Small files are looked at when loaded; for larger ones sampling finds
# the first non-finite latent, and `nonfinite_key` then names the weight.
_CHECKED_BYTES = 2 * 1024**3
_NUM_NAMED_KEYS = 3


@dataclass(frozen=True)
class Precision:
    """How weights are held: in `dtype`; in fp32 where a part of the native name is in `fp32`; as stored where
    they are fp8 and the native name matches `float8`."""

    dtype: torch.dtype
    fp32: frozenset[str] = frozenset()
    float8: re.Pattern[str] = re.compile(r"(?!)")

    def hold(self, name: str, tensor: Tensor) -> Tensor:
        if tensor.dtype in FLOAT8 and self.float8.fullmatch(name):
            return tensor
        return tensor.to(torch.float32 if self.fp32.intersection(name.split(".")) else self.dtype)


def read_weights(
    file: KnownFile, native_names: Collection[str], *, precision: Precision, device: torch.device
) -> dict[str, Tensor]:
    """The named tensors of a file, on `device`. On the CPU a tensor whose dtype stays is the file's own pages.

    Raises: `BadInput` for scaled fp8 files, and for the first tensor that is not finite (files up to 2 GiB).
    """
    _refuse_scaled(file)
    weights: dict[str, Tensor] = {}
    with safe_open(file.path, framework="pt", device=str(device)) as tensors:
        for name in native_names:
            tensor = tensors.get_tensor(file.keys[name])
            if file.num_bytes <= _CHECKED_BYTES and not is_finite(tensor):
                raise BadInput(
                    f"{file.path} holds NaN or infinity in {file.keys[name]}; download or export it again."
                )
            weights[name] = precision.hold(name, tensor)
    return weights


def fill(
    model: nn.Module,
    file: KnownFile,
    rename: Callable[[str], str],
    *,
    precision: Precision,
    device: torch.device,
    ignored: Collection[str] = (),
) -> None:
    """Gives a model that stands on the meta device the file's weights; `rename` makes its names of native ones.

    Raises: `BadInput` for keys that the model has no place for, that the file lacks or that have another shape,
    and as `read_weights`.
    """
    _refuse_scaled(file)
    expected = dict(model.named_parameters())
    homes = _homes(file, rename, expected, ignored)
    weights = read_weights(file, homes, precision=precision, device=device)
    for name, tensor in weights.items():
        if tensor.dtype in FLOAT8:
            widen_at_use(model, homes[name].removesuffix(".weight"))
    # A module that stands in two places has one parameter but two names; the second one is "missing", rightly.
    model.load_state_dict(
        {homes[name]: tensor for name, tensor in weights.items()}, assign=True, strict=False
    )
    model.requires_grad_(False).eval()


def nonfinite_key(model: nn.Module) -> str | None:
    """The name of the first weight that holds a NaN or an infinity."""
    return next((key for key, tensor in model.state_dict().items() if not is_finite(tensor)), None)


def _refuse_scaled(file: KnownFile) -> None:
    if file.is_scaled:
        raise BadInput(
            f"{file.path} holds scaled fp8 weights, which are not read yet; use its bf16, fp16 or unscaled fp8 file."
        )


def _homes(
    file: KnownFile, rename: Callable[[str], str], expected: Mapping[str, Tensor], ignored: Collection[str]
) -> dict[str, str]:
    """The model's name for each native one."""
    homes: dict[str, str] = {}
    strangers: list[str] = []
    for native in (native for native in file.keys if native not in ignored):
        try:
            home = rename(native)
        except KeyError:
            home = ""
        if home not in expected:
            strangers.append(file.keys[native])
        elif file.shape(native) != expected[home].shape:
            raise BadInput(
                f"{file.path} has {file.keys[native]} of shape {file.shape(native)} where its other keys "
                f"ask for {tuple(expected[home].shape)}; use a complete, unchanged file."
            )
        else:
            homes[native] = home
    missing = expected.keys() - homes.values()
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


def _some(keys: list[str]) -> str:
    num_more = len(keys) - _NUM_NAMED_KEYS
    return ", ".join(keys[:_NUM_NAMED_KEYS]) + (f" and {num_more} more" if num_more > 0 else "")
