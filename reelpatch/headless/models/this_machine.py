"""What this machine has: its memory, and its NVIDIA card as the driver tells it, without waiting for torch."""

import shutil
import subprocess

import psutil

from reelpatch.plan.machine import Machine

_MIB = 2**20
_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
_TIMEOUT_S = 5


def this_machine() -> Machine:
    """The machine this runs on, with its first card; none where `nvidia-smi` finds none."""
    name, vram = _first_card() or (None, None)
    return Machine("this machine", ram=psutil.virtual_memory().total, vram=vram, card=name)


def _first_card() -> tuple[str, int] | None:
    if shutil.which(_QUERY[0]) is None:
        return None
    try:
        answer = subprocess.run(_QUERY, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout
        name, mib = answer.splitlines()[0].rsplit(",", 1)
        return name.strip(), int(mib) * _MIB
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None  # a driver that does not answer has no card that could be used
