"""Enhances clips by one recipe, whose models are kept loaded: frames in, steadier and sharper frames out."""

from functools import cached_property

from torch import Tensor

from reelpatch.clips.frames import FitPlan, as_clip, as_video, fit, plan_fit, restore
from reelpatch.edits.enhance.noising import noised
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.loaded_recipe import LoadedRecipe, explain_out_of_memory
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.noise import FrameNoise, draw_noise


class Enhancer(LoadedRecipe):
    """Noises a clip a little and denoises it again, by the last steps of the recipe's schedule.

    Raises: `BadInput` as `LoadedRecipe`, for a recipe that does something else, and for more last steps than the
    recipe's backbone was made for.
    """

    @staticmethod
    def check(recipe: Recipe) -> None:
        recipe.check_enhances()
        sigmas_of(recipe)

    @cached_property
    def sigmas(self) -> Tensor:
        """The noise levels of the steps that are taken, the last one 0."""
        return sigmas_of(self.recipe)

    def enhance(
        self,
        clip: Tensor,
        caption: str = "",
        *,
        seed: int = 0,
        plan: FitPlan | None = None,
        on_progress: OnProgress = silent,
    ) -> Tensor:
        """The enhanced clip, at the size and length of the source.

        Shapes: clip and result [F, H, W, 3] in [0, 1].
        Guarantees: the same seed gives the same noise on every device.
        Raises: `BadInput` for what does not fit the model, NaN weights or latents, and too little memory.
        """
        plan = plan or plan_fit(*clip.shape[:3], lattice=self.recipe.lattice)
        latents = self.denoised(fit(clip, plan), caption, seed=seed, on_progress=on_progress)
        return restore(self.decoded(latents, on_progress), plan, clip)

    def denoised(
        self,
        frames: Tensor,
        caption: str = "",
        *,
        seed: int | FrameNoise = 0,
        on_progress: OnProgress = silent,
    ) -> Tensor:
        """The enhanced latents [16, n + 1, H / 8, W / 8] of frames [4n + 1, H, W, 3], of legal size."""
        self.prepare(len(frames), (frames.shape[1], frames.shape[2]))
        with explain_out_of_memory(self.device):
            positive, negative = self.text(caption, on_progress), self.negative(on_progress)
            on_progress("encoding the clip", 0, 1)
            clip = self.vae.encode(as_video(frames)).cpu()
            on_progress("encoding the clip", 1, 1)
            channels, count, rows, columns = clip.shape
            noise = draw_noise((channels, count, rows, columns), seed)
            start = noised(clip, noise, float(self.sigmas[0]))
            models = self.transformer(on_progress)
            denoiser = Denoiser(
                models.backbone,
                positive,
                self.sigmas,
                negative=negative,
                guidance=self.recipe.guidance,
                skip_layers=self.recipe.skip_layers,
                on_step=models.at_step,
            )
            return self.sample(denoiser, start, seed, on_progress).cpu()

    def decoded(self, latents: Tensor, on_progress: OnProgress = silent) -> Tensor:
        """The frames [4n + 1, H, W, 3] of latents, in [0, 1]."""
        self.make_room_for_decoding()
        with explain_out_of_memory(self.device):
            on_progress("decoding", 0, 1)
            video = self.vae.decode(latents)
            on_progress("decoding", 1, 1)
        return as_clip(video.cpu())
