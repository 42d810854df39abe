"""Edits by one recipe, whose models are kept loaded from edit to edit: frames in, edited frames out."""

from collections.abc import Sequence
from functools import cached_property

from torch import Tensor

from reelpatch.clips.finish import paste_back
from reelpatch.clips.frames import FitPlan, as_clip, fit, fit_mask, plan_fit, restore
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.masks import check_mask
from reelpatch.edits.instruction import check_instruction
from reelpatch.edits.vace.context import build_context, trim_references
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.gray_latents import GrayLatents
from reelpatch.families.lattice import latent_shape
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.loaded_recipe import LoadedRecipe, explain_out_of_memory
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.noise import FrameNoise, draw_noise


class Editor(LoadedRecipe):
    """Edits clips with one recipe; weights are read when first needed and kept.

    Raises: `BadInput` as `LoadedRecipe`, and for a recipe that has no edit module.
    """

    @staticmethod
    def check(recipe: Recipe) -> None:
        recipe.check_edits()

    @cached_property
    def _gray(self) -> GrayLatents:
        return GrayLatents()

    def edit(
        self,
        clip: Tensor,
        instruction: str,
        *,
        mask: Tensor | None = None,
        references: Sequence[Tensor] = (),
        seed: int | FrameNoise = 0,
        plan: FitPlan | None = None,
        on_progress: OnProgress = silent,
    ) -> Tensor:
        """The edited clip, at the size and length of the source; pixels outside the mask are the source's.

        Shapes: clip [F, H, W, 3], mask [F, H, W], references [h, w, 3 | 4], all in [0, 1]; result as the clip.
        `seed` starts the clip's noise; a part of a longer clip brings its own part of that clip's noise.
        Guarantees: the same seed gives the same noise on every device.
        Raises: `BadInput` for what does not fit the model, NaN weights or latents, too little memory, and a mask that is 0
            everywhere.
        """
        if mask is not None:
            check_mask(mask, *clip.shape[:3])
            Cover.of(mask).check_any()
        edited = self.render(
            clip,
            instruction,
            mask=mask,
            references=references,
            seed=seed,
            plan=plan,
            on_progress=on_progress,
        )
        return edited if mask is None else paste_back(edited, clip, mask)

    def render(
        self,
        clip: Tensor,
        instruction: str,
        *,
        mask: Tensor | None = None,
        references: Sequence[Tensor] = (),
        seed: int | FrameNoise = 0,
        plan: FitPlan | None = None,
        on_progress: OnProgress = silent,
    ) -> Tensor:
        """As `edit`, but as the model made it: outside the mask, pixels have been through the VAE."""
        check_instruction(instruction)
        plan = plan or plan_fit(*clip.shape[:3])
        if mask is not None:
            check_mask(mask, *clip.shape[:3])
        self.prepare(plan.frames, plan.size, len(references))
        with explain_out_of_memory(self.device):
            positive = self.text(instruction, on_progress)
            negative = self.negative(on_progress)
            context = self._context(fit(clip, plan), mask, references, plan, on_progress)
            shape = latent_shape(plan.frames, plan.size, references=len(references))
            noise = draw_noise(shape, seed, references=len(references))
            latents = self.sample(
                self._denoiser(positive, negative, context, on_progress),
                noise,
                seed,
                on_progress,
                references=len(references),
            )
            self.make_room_for_decoding()
            on_progress("decoding", 0, 1)
            video = self.vae.decode(trim_references(latents, len(references)))
            on_progress("decoding", 1, 1)
        return restore(as_clip(video.cpu()), plan, clip)

    def _context(
        self,
        clip: Tensor,
        mask: Tensor | None,
        references: Sequence[Tensor],
        plan: FitPlan,
        on_progress: OnProgress,
    ) -> Tensor:
        on_progress("encoding the clip", 0, 1)
        height, width = plan.size
        context = build_context(
            clip,
            None if mask is None else fit_mask(mask, plan),
            references,
            self._gray.encoder(self.vae.encode),
            frames=plan.frames,
            height=height,
            width=width,
        )
        on_progress("encoding the clip", 1, 1)
        return context

    def _denoiser(
        self, positive: Tensor, negative: Tensor | None, context: Tensor, on_progress: OnProgress
    ) -> Denoiser:
        models = self.transformer(on_progress)
        assert models.module is not None  # as `check_edits` made sure
        recipe = self.recipe
        return Denoiser(
            models.backbone,
            positive,
            sigmas_of(recipe),
            negative=negative,
            edits=[
                VaceEdit(
                    models.module, [VaceContext(context, recipe.strength, recipe.window)], recipe.skip_hints
                )
            ],
            guidance=recipe.guidance,
            skip_layers=recipe.skip_layers,
            on_step=models.at_step,
        )
