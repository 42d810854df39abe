"""What the code has to know of a family of video models, in numbers and names alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from reelpatch.families.kinds import Kind
from reelpatch.families.lattice import Lattice


@dataclass(frozen=True)
class Family:
    """Models that share a VAE, a text encoder and a way to lay out tokens.

    `sizes` names a transformer's size by its width; `heads_dim` is the width of one attention head. `vae` and
    `text_encoder` are the kinds of files that go with it, `backbones` those of its transformers.
    """

    name: str
    title: str
    lattice: Lattice
    sizes: Mapping[int, str]
    head_dim: int
    vae: Kind
    text_encoder: Kind
    backbones: tuple[Kind, ...]
