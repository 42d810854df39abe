"""The models of a recipe as the host of one run: its text, its VAE, its transformer with the edit on it."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reelpatch.clips.frames import as_clip
from reelpatch.edits.enhance.noising import noised
from reelpatch.edits.render import Start
from reelpatch.edits.work import EditSettings, EditWork
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.hosts.ranks.fellows import together
from reelpatch.headless.hosts.ranks.shared_run import SharedRun
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.progress import OnProgress
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.guidance import Guidance


@dataclass(frozen=True)
class RecipeHost:
    """As `RenderHost`. Shapes: texts [1, 512, 4096] where UMT5 made them, `negative` None where no step has guidance."""

    models: LoadedRecipe
    positive: Any
    negative: Any
    guidance: Guidance

    @classmethod
    def for_text(
        cls, models: LoadedRecipe, text: str, on_progress: OnProgress, *, references: int = 0
    ) -> "RecipeHost":
        """The host of a run with that instruction or caption, and so many references."""
        guidance = models.recipe.guidance_for(references)
        return cls(models, models.text(text, on_progress), models.negative(guidance, on_progress), guidance)

    @property
    def settings(self) -> EditSettings:
        """As `RenderHost`."""
        recipe = self.models.recipe
        look = self.models.look if self.models.files.clip_vision is not None else None
        return EditSettings(
            recipe.strength,
            recipe.window,
            recipe.skip_hints,
            recipe.method,
            look,
            recipe.half_size_steps,
        )

    def encode(self, video: Tensor) -> Tensor:
        """As `RenderHost`."""
        return self.models.encode(video)

    def sample(self, work: EditWork, start: Start, on_progress: OnProgress) -> Tensor:
        """As `RenderHost`."""
        with self._shared(start):
            return self._sample(work, start, on_progress)

    def _shared(self, start: Start) -> AbstractContextManager[None]:
        """Within it the other processes that share the clip make the same latents; this tells them to."""
        models = self.models
        if models.sharing is None or not models.sharing.ranks.is_leader:
            return nullcontext()
        told = (self.positive, self.negative, self.guidance, start.prepared, start.seed)
        return together(SharedRun(models.recipe, models.asked, models.placement, *told), models.device)

    def _sample(self, work: EditWork, start: Start, on_progress: OnProgress) -> Tensor:
        recipe = self.models.recipe
        sigmas = sigmas_of(recipe)
        over = start.part_of(sigmas)
        prepared, latents = start.prepared, start.noise
        if prepared.clip_latents is not None:
            latents = noised(prepared.clip_latents, latents, float(over[0]))
        transformer = self.models.transformer(on_progress)
        denoiser = Denoiser(
            transformer.backbone,
            self.positive,
            sigmas,
            negative=self.negative,
            edits=work.edits(transformer.module, prepared, self.settings),
            guidance=self.guidance,
            skip_layers=recipe.skip_layers,
            on_step=transformer.at_step,
            predict=self.models.family.predict,
            switch=self.models.switch(sigmas, on_progress),
            join=self.models.texts.join,
        )
        del transformer  # where a second expert follows, the denoiser alone holds the first
        return self.models.sample(
            denoiser, latents, start.seed, on_progress, references=prepared.references, over=over
        )

    def decode(self, latents: Tensor, on_progress: OnProgress) -> Tensor:
        """As `RenderHost`."""
        return decode(self.models, latents, on_progress)


def decode(models: LoadedRecipe, latents: Tensor, on_progress: OnProgress) -> Tensor:
    """The frames [F, H, W, 3] in [0, 1] of latents, once a transformer that is in the way has left the card."""
    models.make_room_for_decoding()
    on_progress("decoding", 0, 1)
    video = models.vae.decode(latents)
    on_progress("decoding", 1, 1)
    return as_clip(video.cpu())
