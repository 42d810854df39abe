"""Which device and dtype a name stands for on this machine."""

import re
from pathlib import Path

import torch

from reelpatch.errors import BadInput

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
# CPUs compute faster in fp32 than in bf16, while there is memory for it.
FP32_ON_CPU_BYTES = 4 * 2**30
ADA = (8, 9)  # the first NVIDIA cards with fp8 units: RTX 40, L4; Hopper is (9, 0)
_REASON_CHARACTERS = 100  # of what PyTorch says, which may be pages


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is the first CUDA device, else the CPU.

    Raises: `BadInput` for one that is unknown or not in this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception as error:  # each backend has errors of its own
        reason = re.split(r"[.:;,]\s|\n", str(error))[0][:_REASON_CHARACTERS].rstrip(".")
        raise BadInput(
            f"the device '{name[:_REASON_CHARACTERS]}' cannot be used ({reason}): use cpu, cuda or auto (--device)."
        ) from error
    if device.type == "meta":
        raise BadInput(f"the device '{name}' holds no numbers: use cpu, cuda or auto (--device).")
    return device


def choose_dtype(name: str, device: torch.device, backbone: Path) -> torch.dtype:
    """The dtype of that name; `auto` is bf16, but fp32 on CPUs where the backbone is small enough for it.

    Raises: `BadInput` for an unknown one.
    """
    if name == "auto":
        is_small = backbone.stat().st_size <= FP32_ON_CPU_BYTES
        return torch.float32 if device.type == "cpu" and is_small else torch.bfloat16
    if name not in DTYPES:
        raise BadInput(f"there is no dtype '{name}': use {', '.join(DTYPES)} or auto (--dtype).")
    return DTYPES[name]


def check_multiplies_float8(device: torch.device) -> None:
    """Raises: `BadInput` for a device that cannot multiply in fp8. CPUs can, for trying it out, but gain nothing."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < ADA:
        raise BadInput(
            f"{torch.cuda.get_device_name(device)} has no fp8 units (they came with RTX 40 and Hopper): leave "
            "--fp8-matmul out, and fp8 weights are widened as they are used."
        )
    if device.type not in ("cuda", "cpu"):
        raise BadInput(f"fp8 is not multiplied on {device.type}: leave --fp8-matmul out.")
