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
    """Classes of ComfyUI by their full names: that of a MODEL's transformer, and that of its latents' numbers."""

    transformer: str
    latents: str


@dataclass(frozen=True)
class Family:
    """Models that share a VAE and a way to lay out tokens; `head_dim` is the width of one attention head.

    `vae` is the name under which the VAE that goes with it is published for ComfyUI. `counts` is where its `FamilyCounts` stands, and `headless` where that which loads and runs its models without ComfyUI
    does, empty where nothing can; `texts` is where that which reads texts for it does, None for UMT5, and `works_in_pieces`
    whether its blocks run over pieces of their tokens where memory asks for it. `marks` tell its files by
    their headers, beside those that `weights/header.py` knows, by the native names that `tables` give them.
    """

    name: str
    lattice: Lattice
    head_dim: int
    counts: Place
    headless: Place | None
    comfyui: InComfyUI | None
    marks: tuple[Mark, ...] = ()
    vae: str = ""
    works_in_pieces: bool = False
    tables: tuple[KeyTable, ...] = ()
    texts: Place | None = None

    def start_counts(self) -> FamilyCounts:
        """What counts its models."""
        return cast("FamilyCounts", start(self.counts))


def start(place: Place) -> Any:
    """One of the class that stands there, without arguments; it and what it needs are imported now."""
    module, name = place
    return getattr(import_module(module), name)()
