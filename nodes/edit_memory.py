"""What the edits on a MODEL take beside it, told to ComfyUI: when it makes room for a run, and when it joins passes into one batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reelpatch.edits.contract import Edit
from reelpatch.families.lattice import Lattice

# ComfyUI joins passes where so many times what it estimates for them is free (`comfy/samplers.py`, `_calc_cond_batch`).
BATCH_MARGIN = 1.5


@dataclass(frozen=True, eq=False)
class EditMemory:
    """What all edits on a MODEL take, as frames more: ComfyUI's estimate is proportional to the latents' area."""

    edits: Sequence[Edit]
    lattice: Lattice

    def told(self, shape: Sequence[int]) -> list[int]:
        """The shape [B, C, T, h, w] that ComfyUI's estimate is to be made for, in place of that of the latents."""
        grid = self.lattice.grid(*shape[-3:])
        share = sum(edit.memory_share(grid) for edit in self.edits)
        return [*shape[:2], math.ceil(shape[2] * (1 + share)), *shape[3:]]

    def __call__(
        self, executor: Any, model: Any, noise_shape: Sequence[int], *args: Any, **kwargs: Any
    ) -> Any:
        """Around ComfyUI's making room for a run."""
        return executor(model, self.told(noise_shape), *args, **kwargs)


@dataclass(frozen=True, eq=False)
class JoinedPasses:
    """Around the passes of a step: ComfyUI joins them by what the MODEL takes alone, so that they are asked for one by one where it
    would not join them if it knew of the edits.
    """

    memory: EditMemory

    def __call__(
        self, executor: Any, model: Any, conds: Sequence[Any], x: Tensor, *args: Any, **kwargs: Any
    ) -> list[Tensor]:
        asked = [place for place, cond in enumerate(conds) if cond is not None]
        if len(asked) < 2 or self._is_room(model, x, len(asked)):
            return executor(model, conds, x, *args, **kwargs)
        made = [torch.zeros_like(x) for _ in conds]
        for place in asked:
            alone = [cond if at == place else None for at, cond in enumerate(conds)]
            made[place] = executor(model, alone, x, *args, **kwargs)[place]
        return made

    def _is_room(self, model: Any, x: Tensor, passes: int) -> bool:
        own = [passes * x.shape[0], *x.shape[1:]]
        told = self.memory.told(own)
        if told == own:
            return True  # ComfyUI knows all that there is to know
        return BATCH_MARGIN * model.memory_required(told) < model.current_patcher.get_free_memory(x.device)
