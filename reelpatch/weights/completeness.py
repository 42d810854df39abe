"""Whether a file that is of the right kind can be loaded here, told from its header before anything is."""

from collections.abc import Sequence

from reelpatch.errors import BadInput
from reelpatch.weights import storage
from reelpatch.weights.header import KnownFile
from reelpatch.weights.safetensors_header import shown

_NUM_NAMED = 3
_READ_DTYPES = storage.FLOAT8 | {"F64", "F32", "F16", "BF16"}
# Under these prefixes a checkpoint keeps what is not the transformer.
_BESIDE = ("vae.", "first_stage_model.", "text_encoders.", "cond_stage_model.")


def check_complete(file: KnownFile) -> None:
    """Raises: `BadInput` for weights in a dtype that is not read here, for a whole checkpoint, and for keys that are
    missing, unknown or of a wrong shape."""
    fit = file.fit
    if fit is None:
        return
    for key, info in file.tensors.items():
        check_dtype(file, key, info.dtype)
    if any(name.startswith(_BESIDE) for name in fit.unknown):
        raise BadInput(
            f"{file.path} is a checkpoint, which has VAE or text encoder within: {file.kind.words} in a file of its own "
            "is needed here."
        )
    found = " and ".join(
        f"{what} {_some(keys)}"
        for what, keys in (
            ("has unknown keys", [file.keys.get(name, name) for name in fit.unknown]),
            ("lacks", fit.missing),
            ("has in wrong shapes", [file.keys.get(name, name) for name in fit.misshapen]),
        )
        if keys
    )
    if found:
        raise BadInput(
            f"{file.path} looks like {file.kind.words} but {found}; use a complete, unchanged file."
        )


def check_dtype(file: KnownFile, key: str, dtype: str) -> None:
    """Raises: `BadInput` for a weight whose dtype is not read here; scales and tokenizers may have any."""
    if dtype not in _READ_DTYPES and not storage.is_scale(key) and key != storage.TOKENIZER:
        raise BadInput(
            f"{file.path} holds {shown(key)} as {dtype}, a way of quantising that is not read here; use the bf16, fp16 or "
            "fp8 file of the same weights."
        )


def _some(keys: Sequence[str]) -> str:
    more = len(keys) - _NUM_NAMED
    return ", ".join(map(shown, sorted(keys)[:_NUM_NAMED])) + (f" and {more} more" if more > 0 else "")
