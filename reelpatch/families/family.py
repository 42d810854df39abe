"""What the code has to know of a family of video models, in numbers and names alone."""

from dataclasses import dataclass

from reelpatch.families.lattice import Lattice


@dataclass(frozen=True)
class Family:
    """Models that share a VAE and a way to lay out tokens; `head_dim` is the width of one attention head."""

    name: str
    lattice: Lattice
    head_dim: int
