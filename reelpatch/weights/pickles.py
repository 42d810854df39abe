"""Torch pickles, opened so that nothing in them runs: tensors on disk, or one sentence."""

import mmap
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.weights.names import strip_prefix
from reelpatch.weights.pickle_sizes import check_archive, check_tensors

# Under these names training code keeps the weights, beside optimizer states or alone.
_WRAPPERS = ("generator", "state_dict", "model")
# As what is no torch file, or a damaged one, shows itself while it is opened.
_DAMAGE = (
    *(RuntimeError, ValueError, EOFError, KeyError, AttributeError, TypeError, IndexError),
    *(MemoryError, OverflowError, AssertionError),
)


def open_pickle(path: Path, *, any_size: bool = False) -> dict[str, Tensor]:
    """The weights of a pickle under native names, as views of the file: none is read yet, and none may be changed.

    Raises: `BadInput` for what is missing, no torch file of the current (zip) format or cut short, for anything in it
    but plain tensors, for two keys that mean the same weight, and unless `any_size` for what would take far more memory
    than the file has bytes (`pickle_sizes` states the bounds).
    """
    if not path.is_file():
        raise BadInput(f"there is no file {path}: check the path.")
    try:
        check_archive(path, any_size=any_size)
        content = _mapped(path)
    except BadInput:
        raise
    except pickle.UnpicklingError as error:
        raise BadInput(
            f"{path} holds code or objects besides weights, none of which was run: get it from a source you trust, "
            "as plain weights or safetensors."
        ) from error
    except OSError as error:
        raise BadInput(f"{path} can't be read ({error.strerror}): check its permissions.") from error
    except _DAMAGE as error:
        raise BadInput(
            f"{path} is no torch file that can be opened piece by piece, or is damaged: download it again, or save it "
            "once more with a current PyTorch."
        ) from error
    weights = _named(_unwrapped(content, path), path)
    check_tensors(path, sum(tensor.nbytes for tensor in weights.values()), any_size=any_size)
    return weights


def _mapped(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except RuntimeError as error:
        if "Cannot allocate memory" not in str(error):
            raise
    # Linux refuses a private mapping of more than there is memory, because it could be written to. A shared one it
    # grants, but what is written to that lands in the file: the tensors are to be read only.
    with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED):
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)


def _unwrapped(content: Any, path: Path) -> Mapping[Any, Any]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise BadInput(f"{path} holds no weights by name: a state dict is needed.")
    return content


def _named(state: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for key, tensor in state.items():
        is_plain = (
            isinstance(tensor, Tensor)
            and tensor.layout is torch.strided
            and tensor.device.type == "cpu"
            and tensor.is_floating_point()
        )
        if not isinstance(key, str) or not is_plain:
            raise BadInput(
                f"{path} has under '{key}' something else than a tensor of floats: weights alone are needed."
            )
        name = strip_prefix(key)
        if name in weights:
            raise BadInput(f"{path} has '{name}' twice, once as '{key}': get an unchanged file.")
        weights[name] = tensor
    return weights
