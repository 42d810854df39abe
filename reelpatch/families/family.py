"""What the code has to know of a family of video models, in numbers and names alone."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from reelpatch.families.lattice import Lattice

if TYPE_CHECKING:
    from reelpatch.families.counts import FamilyCounts
    from reelpatch.families.mark import Mark
    from reelpatch.families.naming import KeyTable

Place = tuple[str, str]
"""Where a class stands: module and name. It is imported when it is asked for."""


@dataclass(frozen=True)
class InComfyUI:
    """Classes of ComfyUI by their full names: that of a MODEL's transformer, and that of its latents' numbers.

    Edits hang on the blocks of a MODEL that `takes_edits`; others are shown what they edit by their conditioning alone.
    """

    transformer: str
    latents: str
    takes_edits: bool = True


@dataclass(frozen=True)
class Family:
    """Models that share a VAE and a way to lay out tokens; `head_dim` is the width of one attention head.

    `vae` is the name under which the VAE that goes with it is published for ComfyUI, `counts` where its `FamilyCounts` stands.
    `headless` is where that stands which loads and runs its models without ComfyUI, empty where nothing can, and `texts` that which
    reads texts for it there, None for UMT5, and `text_check` that which finds out before whether they can be read; `works_in_pieces` says whether it runs blocks over pieces of their tokens if memory
    asks for it. `marks` tell its files by their headers, beside those that `weights/header.py` knows, by the native names that
    `tables` give them.
    """

    name: str
    lattice: Lattice
    head_dim: int
    counts: Place
    headless: Place | None
    comfyui: InComfyUI | None
    marks: tuple[Mark, ...] = ()
    vae: str = ""
    tables: tuple[KeyTable, ...] = ()
    texts: Place | None = None
    text_check: Place | None = None
    works_in_pieces: bool = False

    def start_counts(self) -> FamilyCounts:
        """What counts its models."""
        return cast("FamilyCounts", start(self.counts))


def start(place: Place) -> Any:
    """One of the class that stands there, without arguments; it and what it needs are imported now."""
    module, name = place
    return getattr(import_module(module), name)()
