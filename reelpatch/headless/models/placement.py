"""Decides which weights of an edit stay on the GPU and which are streamed to it, as the plan says for this clip."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from reelpatch.errors import BadInput
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.headless.models.this_machine import this_machine
from reelpatch.plan.job import Job
from reelpatch.plan.machine import Machine, is_fitting, memory_on, missing
from reelpatch.plan.memory import GIB, RESERVED_BYTES
from reelpatch.plan.models import Dtype, models_of
from reelpatch.recipes import Recipe, Role
from reelpatch.weights.header import KnownFile
from reelpatch.weights.weight_files import expect_weights


@dataclass(frozen=True)
class Placement:
    """How many blocks, the backbone's first, stay on the card, of how many; and what else is not there all the time.

    Blocks run over pieces of at most `piece` tokens, or all at once; for that nothing has to be loaded again.
    """

    resident_blocks: int
    num_blocks: int
    is_text_streamed: bool = False
    is_vae_tiled: bool = False
    piece: int | None = field(default=None, compare=False)

    @property
    def is_streamed(self) -> bool:
        """Whether blocks are sent to the card for each forward; the transformer then leaves it before decoding."""
        return self.resident_blocks < self.num_blocks

    def describe(self) -> str:
        """One sentence for whoever waits."""
        streamed = self.num_blocks - self.resident_blocks
        return f"{streamed} of {self.num_blocks} blocks do not fit on the card: they are sent to it as they are needed."


def card_bytes(device: torch.device, limit_gib: float | None) -> int | None:
    """How much of a CUDA card may be used, held to the limit if one is given; None on other devices.

    Raises: `BadInput` for a limit that is no amount of memory, or on a device without memory of its own.
    """
    if limit_gib is not None and not 0 < limit_gib < 2**20:
        raise BadInput(
            f"--vram-limit is {limit_gib:g}: give the memory of the card that may be used in GiB, such as 8."
        )
    if device.type != "cuda":
        if limit_gib is None:
            return None
        raise BadInput(
            f"--vram-limit is for CUDA cards, but this edit runs on {device}: leave it out, or name a card (--device)."
        )
    total = torch.cuda.get_device_properties(device).total_memory
    if limit_gib is None:
        return total
    allowed = min(total, int(limit_gib * GIB))
    # What the driver takes is outside PyTorch's account, but within the limit. The card is asked for by its number here.
    numbered = torch.empty(0, device=device).device
    torch.cuda.set_per_process_memory_fraction(max(0.0, allowed - RESERVED_BYTES) / total, numbered)
    return allowed


def place(
    job: Job,
    files: RecipeFiles,
    loras: Sequence[Path],
    *,
    dtype: torch.dtype,
    vae_dtype: torch.dtype,
    card: int,
    is_limited: bool,
) -> Placement:
    """The placement that the plan finds for a job on a card of that many bytes.

    Raises: `BadInput` when it does not fit a limit that was asked for; without one, a run that may not fit is tried.
    """
    models = models_of(job.recipe, _headers(job.recipe, files), dtype=_dtype(dtype))
    lora_bytes = sum(path.stat().st_size for path in loras)
    models = replace(
        models, lora_bytes=lora_bytes, has_loras=bool(loras), vae_number_bytes=vae_dtype.itemsize
    )
    machine = Machine("this machine", ram=this_machine().ram, vram=card)
    memory = memory_on(machine, job, models)
    if is_limited and not is_fitting(machine, memory):
        height, width = job.size
        raise BadInput(
            f"{job.frames} frames of {width}x{height} need {missing(machine, memory)}: raise --vram-limit, or lower "
            "--size or --frames (`reelpatch plan` says how far)."
        )
    return Placement(
        memory.num_blocks - memory.streamed_blocks,
        memory.num_blocks,
        memory.is_text_streamed,
        memory.is_vae_tiled,
        memory.piece,
    )


def _headers(recipe: Recipe, files: RecipeFiles) -> dict[Role, KnownFile]:
    paths: dict[Role, Path | None] = {
        "backbone": files.backbone,
        "module": files.module,
        "vae": files.vae,
        "text_encoder": files.text_encoder,
    }
    return {
        role: expect_weights(path, *recipe.files_for(role)[0].kinds) for role, path in paths.items() if path
    }


def _dtype(dtype: torch.dtype) -> Dtype:
    # bf16 and fp16 take the same room, beside weights that stay as they are stored.
    return "fp32" if dtype is torch.float32 else "auto"
