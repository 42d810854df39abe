"""What a file's header says of one tensor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a header; dtype as safetensors spells it (`F32`, `BF16`, `F8_E4M3`)."""

    dtype: str
    shape: tuple[int, ...]
    num_bytes: int
