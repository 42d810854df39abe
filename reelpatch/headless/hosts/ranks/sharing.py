"""Whether the processes of torchrun can share a recipe's work, by which way, and where each of them computes."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from diffusers import WanTransformer3DModel
from torch import nn

from reelpatch.errors import BadInput
from reelpatch.headless.hosts.ranks.spread import spread_over_all, spread_tokens
from reelpatch.headless.hosts.ranks.torchrun import (
    Ranks,
    check_asked,
    check_shareable,
    find_ranks,
    own_device,
    way_for,
)
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.recipes import Recipe
from reelpatch.weights.weight_files import expect_weights

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sharing:
    """This process among those that share a clip by a `way`, `ulysses` or `ring`."""

    ranks: Ranks
    way: str

    def device(self, name: str) -> str:
        """Where this process computes, of what was named for all. Raises: `BadInput` as `own_device`."""
        return own_device(name, self.ranks, torch.cuda.device_count())

    def spread(self, backbone: nn.Module, device: torch.device) -> None:
        """Spreads the tokens of a backbone's forwards. Raises: `BadInput` for one that is no Wan transformer."""
        if not isinstance(backbone, WanTransformer3DModel):
            raise BadInput(
                f"a {type(backbone).__name__} cannot be shared by several processes: start it without torchrun."
            )
        spread_tokens(backbone, spread_over_all(self.way, device))


def shared_by(recipe: Recipe, files: RecipeFiles, way: str | None) -> Sharing | None:
    """How the processes of torchrun share a run of the recipe; None where this one works alone.

    Raises: `BadInput` for a way that was asked of one process, for a kind of edit that cannot be shared, and for more processes
    than the heads of the backbone allow.
    """
    check_asked(way)
    ranks = find_ranks()
    if ranks is None:
        return None
    check_shareable(recipe)
    family = recipe.model_family
    backbone = expect_weights(files.backbone, *recipe.files_for("backbone")[0].kinds)
    num_heads = family.start_counts().backbone(backbone).dim // family.head_dim
    sharing = Sharing(ranks, way_for(way or "auto", num_heads, ranks.count))
    _log.info("%d processes share every forward (%s).", ranks.count, sharing.way)
    return sharing
