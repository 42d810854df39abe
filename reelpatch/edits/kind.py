"""A kind of edit, as far as plans, recipes and help have to know it: in words and numbers, without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from reelpatch.edits.capability import Capability

if TYPE_CHECKING:
    from reelpatch.edits.work import EditWork


@dataclass(frozen=True)
class EditKind:
    """One way to change what a transformer makes.

    `families` names those it fits. With `has_module`, weights of its own go beside the backbone. `is_instructed` where it
    edits a clip by an instruction, otherwise it goes over a finished one. `needs` is what it asks of a host.
    `clip_encodes` counts the passes of the VAE over the clip. `work` is where its `EditWork` stands: module and class.
    """

    name: str
    families: tuple[str, ...]
    needs: frozenset[Capability]
    work: tuple[str, str]
    has_module: bool
    is_instructed: bool
    clip_encodes: int

    def start_work(self) -> EditWork:
        """What does the work; it and what it needs are imported now."""
        module, name = self.work
        return cast("EditWork", getattr(import_module(module), name)())
