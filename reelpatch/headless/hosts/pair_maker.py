"""Two clips made side by side by one recipe: a pair of two captions, or a clip that is there and its edit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from reelpatch.edits.render import Start
from reelpatch.edits.sharing.work import Pair, TiedRows, before_onset, draw_pair, onset_latents
from reelpatch.edits.work import EditSettings, EditWork, Prepared
from reelpatch.errors import BadInput
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models.chosen_recipe import PAIRS
from reelpatch.headless.models.embedded_texts import padded_text
from reelpatch.headless.rendering import RecipeHost, decode
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes.levels import sigmas_of


@dataclass(frozen=True)
class PairWords:
    """What a pair is made of.

    Units: `onset` is the frame, counted from 0, from which on the clips may differ. With `same_noise`, both begin at the same.
    """

    source: str
    target: str
    change: str
    onset: int = 0
    same_noise: bool = True
    seed: int = 0


@dataclass
class TiedDenoiser(Denoiser):
    """As `Denoiser`, for the two rows of a pair: what ties them holds in every call."""

    tied: TiedRows | None = None

    def __call__(self, x: Tensor, sigma: Tensor, **extra: Any) -> Tensor:
        assert self.tied is not None
        rows = self.tied.before_call(x, float(sigma.flatten()[0]))
        return self.tied.after_call(super().__call__(rows, sigma, **extra))


@dataclass(frozen=True)
class SharingHost(RecipeHost):
    """As `RenderHost`, for a clip that is there: it stands in the source's row, which reads its `caption` [1, 512, 4096]."""

    caption: Tensor | None = None

    @classmethod
    def for_captions(
        cls, models: LoadedRecipe, caption: str, text: str, on_progress: OnProgress
    ) -> SharingHost:
        """The host of a run from what is there to what is to be."""
        source = models.text(caption, on_progress)
        plain = RecipeHost.for_text(models, text, on_progress)
        return cls(models, plain.positive, plain.negative, plain.guidance, source)

    def sample(self, work: EditWork, start: Start, on_progress: OnProgress) -> Tensor:
        """As `RenderHost`: the target's latents."""
        rows = replace(start, noise=torch.stack([start.noise, start.noise]))
        return self.sample_rows(work, rows, on_progress)[1]

    def sample_rows(
        self, work: EditWork, start: Start, on_progress: OnProgress, *, settings: EditSettings | None = None
    ) -> tuple[Tensor, Tensor]:
        """The latents of source and target [C, T, h, w], from a noise [2, C, T, h, w]; `settings` are the host's where not given."""
        assert self.caption is not None
        assert isinstance(start.prepared.seen, Pair)
        models, noise = self.models, start.noise
        sigmas = sigmas_of(models.recipe)
        tied = TiedRows(start.prepared.seen, noise)
        transformer = models.transformer(on_progress)
        denoiser = TiedDenoiser(
            transformer.backbone,
            torch.cat([padded_text(self.caption), padded_text(self.positive)]),
            sigmas,
            negative=self.negative,
            edits=work.edits(None, start.prepared, settings or self.settings),
            guidance=self.guidance,
            on_step=transformer.at_step,
            predict=models.family.predict,
            switch=models.switch(sigmas, on_progress),
            tied=tied,
        )
        del transformer  # where a second expert follows, the denoiser alone holds the first
        source, target = tied.after_call(models.sample(denoiser, noise, start.seed, on_progress))
        return source, target


class PairMaker(LoadedRecipe):
    """Makes pairs of clips by attention sharing; weights are read when first needed and kept.

    Raises: `BadInput` as `LoadedRecipe`, and for a recipe that shares no attention.
    """

    kind = PAIRS

    def make(
        self,
        pair: PairWords,
        *,
        frames: int,
        size: tuple[int, int],
        on_progress: OnProgress = silent,
    ) -> tuple[Tensor, Tensor]:
        """The source and the target, each [F, H, W, 3] in [0, 1]; before the onset they are equal to the bit.

        Units: size (height, width) in pixels.
        Raises: `BadInput` for a size, a length or an onset that is not legal, and too little memory.
        """
        lattice = self.recipe.lattice
        channels, *rest = lattice.latent_shape(frames, size)
        method = self.recipe.check_shares()
        if not 0 <= pair.onset < frames:
            raise BadInput(
                f"the change begins at frame {pair.onset}, but a pair has the frames 0 to {frames - 1}: use one of them."
            )
        self.prepare(frames, size)
        prepared = Prepared(
            (channels, rest[0], rest[1], rest[2]), seen=Pair(None, onset_latents(pair.onset, lattice))
        )

        def made() -> tuple[Tensor, Tensor]:
            host = SharingHost.for_captions(self, pair.source, pair.target, on_progress)
            noise = draw_pair(prepared.shape, pair.seed, is_shared=pair.same_noise)
            start = Start(prepared, noise, pair.seed)
            settings = replace(host.settings, method=replace(method, change=pair.change))
            latents = host.sample_rows(self.work, start, on_progress, settings=settings)
            return decode(self, latents[0], on_progress), decode(self, latents[1], on_progress)

        source, target = self.with_room(made)
        return source, before_onset(source, target, pair.onset)


def host_of(
    models: LoadedRecipe, text: str, on_progress: OnProgress, *, references: int = 0, caption: str = ""
) -> RecipeHost:
    """The host of an edit of a clip, which needs a caption of it where the recipe shares attention, and there alone.

    Raises: `BadInput` as `Recipe.check_caption`.
    """
    models.recipe.check_caption(caption)
    if models.recipe.sharing is None:
        return RecipeHost.for_text(models, text, on_progress, references=references)
    return SharingHost.for_captions(models, caption, text, on_progress)
