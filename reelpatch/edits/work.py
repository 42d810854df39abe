"""What a kind of edit does in a run, between a clip and its finished latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from reelpatch.clips.frames import FitPlan
from reelpatch.edits.contract import Edit
from reelpatch.families.kinds import FileKind
from reelpatch.families.lattice import LatentShape, Lattice
from reelpatch.families.wan.family import WAN
from reelpatch.sampling.step_range import StepRange
from reelpatch.weights.header import KnownFile

Encode = Callable[[Tensor], Tensor]
"""video [3, F, H, W] in [-1, 1] -> latents [C, T, h, w], as the transformer reads them."""
Look = Callable[[Tensor], Tensor]
"""pictures [k, H, W, 3] in [0, 1] -> [1, rows of all of them, width], as the transformer reads them."""


@dataclass(frozen=True, eq=False)
class Material:
    """What a person gives for an edit, and how it is fitted to the model.

    `first_frame` is frame 0 as it is to become, which an edit on a pair canvas is shown where it makes the clip.
    Shapes: clip [F, H, W, 3], mask [F, H, W], references [h, w, 3 | 4], first_frame [H, W, 3], all in [0, 1].
    """

    clip: Tensor
    plan: FitPlan
    mask: Tensor | None = None
    references: Sequence[Tensor] = ()
    first_frame: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """What sampling needs of the material: the shape of the latents, and what the edit reads.

    `references` frames stand in front of the clip's. Sampling begins at noise alone, or where there are `clip_latents`,
    at those with noise on them. `seen` is what the edit looks at, which the kind that prepared it knows, and `lattice` how it lies.
    The clip stands at the right of what is decoded, behind `left_px` pixels of something else.
    """

    shape: LatentShape
    references: int = 0
    clip_latents: Tensor | None = None
    seen: Any = None
    lattice: Lattice = WAN.lattice
    left_px: int = 0


@dataclass(frozen=True)
class EditSettings:
    """How an edit is at work: how strongly, in which part of the steps, and whether skipped blocks go without hints.

    `method` is what the recipe records for its kind of edit alone. `look` is the host's picture encoder, None where it has none.
    The first `half_size_steps` are made at half the size.
    """

    strength: float = 1.0
    window: StepRange = StepRange()
    skip_hints: bool = False
    method: Any = None
    look: Look | None = None
    half_size_steps: int = 0


class EditWork(Protocol):
    """The work of one kind of edit; hosts bring the models."""

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:
        """What sampling needs; `encode` is the host's VAE. Raises: `BadInput` for material that the edit cannot take."""
        ...

    def edits(self, module: nn.Module | None, prepared: Prepared, settings: EditSettings) -> Sequence[Edit]:
        """What hangs on the transformer during the run."""
        ...

    def finish(self, latents: Tensor, prepared: Prepared) -> Tensor:
        """The latents of the clip alone, of what was sampled."""
        ...


class PlainWork:
    """What most kinds share of `EditWork`: nothing hangs on the transformer, and what was sampled is the clip's."""

    def edits(self, module: nn.Module | None, prepared: Prepared, settings: EditSettings) -> Sequence[Edit]:  # noqa: ARG002 -- as `EditWork`
        return ()

    def finish(self, latents: Tensor, prepared: Prepared) -> Tensor:  # noqa: ARG002 -- as `EditWork`
        return latents


class ModuleWork(EditWork, Protocol):
    """The work of a kind that brings weights of its own."""

    @property
    def module_kinds(self) -> tuple[FileKind, ...]:
        """The files that hold such weights."""
        ...

    def names_in(self, file: KnownFile) -> list[str]:
        """The native names of those of a file's tensors that are the module's."""
        ...

    def load(
        self,
        weights: Mapping[str, Tensor],
        *,
        beside: Mapping[str, Tensor] | None = None,
        metadata: Mapping[str, str] | None = None,
        operations: Any = nn,
        layers_cast: bool = False,
        source: str = "this edit module",
    ) -> nn.Module:
        """The weights that the kind brings, by native name, as a module of the host's layers (`operations`).

        Raises: `BadInput` for weights that are not such a module's.
        """
        ...
