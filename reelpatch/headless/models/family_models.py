"""What a family brings to be loaded and run without ComfyUI."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from reelpatch.edits.contract import Edit, Moment
from reelpatch.errors import BadInput
from reelpatch.families.family import Family, start
from reelpatch.families.kinds import FileKind


class VideoVae(Protocol):
    """Frames to normalised latents and back.

    Shapes: video [3, F, H, W] in [-1, 1], of a length and size that the family's lattice allows; latents [C, T, h, w] in fp32.
    """

    def encode(self, video: Tensor) -> Tensor: ...
    def decode(self, latents: Tensor) -> Tensor: ...

    def work_in_tiles(self, is_tiled: bool) -> None:
        """Less memory for large pictures, or whole again."""
        ...


class Predict(Protocol):
    """The velocity that a backbone predicts of latents [B, C, T, h, w] and texts [B, rows, D], with `edits` at work.

    A skipped block hands its input on. `picture` is what an image-to-video backbone sees beside.
    Raises: `BadInput` when an edit asks for what this host cannot do, or does not fit the transformer.
    """

    def __call__(
        self,
        transformer: Any,
        latents: Tensor,
        text: Tensor,
        *,
        moment: Moment,
        edits: Sequence[Edit] = (),
        skipped_blocks: frozenset[int] = frozenset(),
        picture: Any = None,
    ) -> Tensor: ...


class FamilyModels(Protocol):
    """Loads a family's models from files, and runs its transformer with edits on it."""

    @property
    def predict(self) -> Predict: ...

    def load_backbone(
        self, path: Path, *, dtype: torch.dtype, device: torch.device, kinds: Collection[FileKind]
    ) -> nn.Module:
        """A backbone of one of these `kinds`, computing in `dtype`. Raises: `BadInput` for files that are something else."""
        ...

    def choose_attention(self, backbone: nn.Module, device: torch.device, dtype: torch.dtype) -> str:
        """Makes a backbone attend in the fastest way here, and says which it is; empty where there is one way."""
        ...

    def blocks_of(self, backbone: nn.Module) -> Sequence[nn.Module]:
        """The blocks, in order, each of which can be sent to a card by itself."""
        ...

    def load_vae(self, path: Path, *, device: torch.device) -> VideoVae:
        """Raises: `BadInput` for files that are something else."""
        ...


def start_models(family: Family) -> FamilyModels:
    """What loads and runs a family's models. Raises: `BadInput` for a family that only ComfyUI runs."""
    if family.headless is None:
        raise BadInput(f"models of the family '{family.name}' run in ComfyUI alone: edit with them there.")
    return cast(FamilyModels, start(family.headless))
