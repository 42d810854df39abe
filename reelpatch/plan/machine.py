"""The machine that an edit is planned for, and whether the edit fits it."""

from dataclasses import dataclass
from typing import Literal

from reelpatch.plan.job import Job
from reelpatch.plan.memory import GIB, Memory, cpu_memory, plan_memory
from reelpatch.plan.models import Models

Offload = Literal["auto", "none", "stream"]
OFFLOADS: tuple[Offload, ...] = ("auto", "none", "stream")


@dataclass(frozen=True)
class Machine:
    """Units: bytes; `vram` is None where there is no card, `card` its name as the driver gives it."""

    name: str
    ram: int
    vram: int | None = None
    card: str | None = None


def memory_on(machine: Machine, job: Job, models: Models, *, offload: Offload = "auto") -> Memory:
    """The memory of the job on this machine: all weights on the card if they fit, else blocks are streamed."""
    if machine.vram is None:
        return cpu_memory(job, models)
    if offload == "stream":
        return plan_memory(job, models, placement="streamed", vram=machine.vram)
    resident = plan_memory(job, models, placement="resident", vram=machine.vram)
    if offload == "none" or resident.peak.total <= machine.vram:
        return resident
    return plan_memory(job, models, placement="streamed", vram=machine.vram)


def is_fitting(machine: Machine, memory: Memory) -> bool:
    """Whether the machine has that much. Streamed files may be dropped from RAM, at a price in time alone."""
    has_vram = machine.vram is None or memory.peak.total <= machine.vram
    return has_vram and memory.ram <= machine.ram


def missing(machine: Machine, memory: Memory) -> str:
    """What is lacking, in words; empty where the edit fits."""
    lacks: list[str] = []
    if machine.vram is not None and memory.peak.total > machine.vram:
        lacks.append(
            f"{memory.peak.total / GIB:.1f} GiB of {machine.vram / GIB:.1f} GiB VRAM ({memory.peak.stage})"
        )
    if memory.ram > machine.ram:
        lacks.append(f"{memory.ram / GIB:.1f} GiB of {machine.ram / GIB:.1f} GiB RAM")
    return " and ".join(lacks)
