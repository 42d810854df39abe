"""What attention sharing does in a run: a clip that is given is encoded, and stands in the source's row at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reelpatch.clips.frames import as_video, fit
from reelpatch.edits.contract import Edit
from reelpatch.edits.enhance.noising import noised
from reelpatch.edits.sharing.edit import SharingEdit
from reelpatch.edits.sharing.schedule import SharingMethod
from reelpatch.edits.work import EditSettings, Encode, Material, PlainWork, Prepared
from reelpatch.errors import BadInput
from reelpatch.families.lattice import Lattice


@dataclass(frozen=True, eq=False)
class Pair:
    """What ties two clips: the source's latents `[C, T, h, w]` where it is given, and the latent frames before the onset."""

    source: Tensor | None = None
    onset: int = 0


class SharingWork(PlainWork):
    """As `EditWork`, for the target; hosts make it in a batch of two rows, which `TiedRows` ties."""

    def prepare(self, material: Material, settings: EditSettings, encode: Encode) -> Prepared:  # noqa: ARG002 -- as `EditWork`
        plan = material.plan
        if material.references:
            raise BadInput(
                f"{len(material.references)} references were given, but this method takes none: leave them out.",
                setting="reference",
            )
        source = encode(as_video(fit(material.clip, plan))).cpu()
        channels, frames, rows, columns = source.shape
        onset = onset_latents(kept_frames(material.mask), plan.lattice)
        return Prepared((channels, frames, rows, columns), seen=Pair(source, onset))

    def edits(self, module: nn.Module | None, prepared: Prepared, settings: EditSettings) -> Sequence[Edit]:  # noqa: ARG002 -- as `EditWork`
        method, pair = settings.method, prepared.seen
        assert isinstance(method, SharingMethod)
        assert isinstance(pair, Pair)
        if not settings.strength:
            return ()
        return (SharingEdit(method, pair.onset, pair.source is not None, settings.window),)


@dataclass(frozen=True, eq=False)
class TiedRows:
    """What ties the rows of a batch in every call: a source that is given, and the target before the onset.

    Shapes: noise, and rows in and out, `[2, C, T, h, w]`.
    """

    pair: Pair
    noise: Tensor

    def before_call(self, rows: Tensor, sigma: float) -> Tensor:
        """The rows that the transformer sees at that noise level: a given source is its own noised latents."""
        source, target = rows
        if self.pair.source is not None:
            source = noised(self.pair.source, self.noise[0], sigma).to(rows)
        return torch.stack([source, self.tied(source, target)])

    def after_call(self, denoised: Tensor) -> Tensor:
        """The clean latents that were seen in them."""
        source, target = denoised
        if self.pair.source is not None:
            source = self.pair.source.to(denoised)
        return torch.stack([source, self.tied(source, target)])

    def tied(self, source: Tensor, target: Tensor) -> Tensor:
        """The target with the source's latent frames before the onset."""
        onset = self.pair.onset
        return torch.cat([source[:, :onset], target[:, onset:]], dim=1) if onset else target


def draw_pair(shape: Sequence[int], seed: int, *, is_shared: bool) -> Tensor:
    """The noise of both rows, `[2, *shape]`: the same twice, or each its own; the source's does not depend on it."""
    generator = torch.Generator("cpu").manual_seed(seed)
    if is_shared:
        return torch.randn(*shape, generator=generator).expand(2, *shape).clone()
    return torch.randn(2, *shape, generator=generator)


def onset_latents(onset: int, lattice: Lattice) -> int:
    """How many latent frames lie wholly before frame `onset`, counted from 0."""
    return 0 if onset <= 0 else 1 + (onset - 1) // lattice.frames_per_latent


def kept_frames(mask: Tensor | None) -> int:
    """How many frames of a mask `[F, H, W]`, from the first, edit nothing; 0 without a mask."""
    if mask is None:
        return 0
    is_edited = mask.flatten(1).any(1)
    return int(is_edited.int().argmax()) if bool(is_edited.any()) else len(mask)


def before_onset(source: Tensor, target: Tensor, onset: int) -> Tensor:
    """The target's frames `[F, H, W, 3]` with the source's before frame `onset`."""
    return torch.cat([source[:onset], target[onset:]])
