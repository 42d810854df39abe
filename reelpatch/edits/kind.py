"""A kind of edit, as far as plans, recipes and help have to know it: in words and numbers, without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from reelpatch.edits.capability import Capability
from reelpatch.families.family import Place, start

if TYPE_CHECKING:
    from reelpatch.edits.work import EditWork
    from reelpatch.families.counts import ModuleSizes


@dataclass(frozen=True)
class EditKind:
    """One way to change what a transformer makes.

    `families` names those it fits. `is_instructed` where it edits a clip by an instruction, otherwise it goes over a finished
    one. `needs` is what it asks of a host. Where it `keeps_frames`, those with mask 0 are shown to
    the model as they are to stay. Where it `times_tokens`, each token has a timestep of its own. It works on a
    picture so many `widths` of the clip wide. `clip_encodes` counts the passes of the VAE over the clip. `work` is where its
    `EditWork` stands, and `module` where the `ModuleSizes` of weights do that go beside the backbone, None without any.
    """

    name: str
    families: tuple[str, ...]
    needs: frozenset[Capability]
    work: Place
    is_instructed: bool
    clip_encodes: int
    module: Place | None = None
    keeps_frames: bool = False
    times_tokens: bool = False
    widths: int = 1

    def start_work(self) -> EditWork:
        """What does the work; it and what it needs are imported now."""
        return cast("EditWork", start(self.work))

    def start_counts(self) -> ModuleSizes | None:
        """What counts its edit modules, None without any."""
        return None if self.module is None else cast("ModuleSizes", start(self.module))

    @property
    def has_module(self) -> bool:
        """Whether weights of its own go beside the backbone."""
        return self.module is not None
