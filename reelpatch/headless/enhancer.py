"""Enhances clips by one recipe, whose models are kept loaded: frames in, steadier and sharper frames out."""

from torch import Tensor

from reelpatch.clips.frames import FitPlan, fit, plan_fit, restore
from reelpatch.edits.render import make_latents
from reelpatch.edits.work import Material
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models.chosen_recipe import ENHANCES
from reelpatch.headless.rendering import RecipeHost, decode
from reelpatch.progress import OnProgress, silent
from reelpatch.sampling.noise import FrameNoise


class Enhancer(LoadedRecipe):
    """Noises a clip a little and denoises it again, by the last steps of the recipe's schedule.

    Raises: `BadInput` as `LoadedRecipe`, for a recipe that does something else, and for more last steps than the
    recipe's backbone was made for.
    """

    kind = ENHANCES
    is_shared = True

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
        height, width = frames.shape[1:3]
        self.prepare(len(frames), (height, width))

        def made() -> Tensor:
            host = RecipeHost.for_text(self, caption, on_progress)
            material = Material(frames, plan_fit(*frames.shape[:3], lattice=self.recipe.lattice))
            return make_latents(host, self.work, material, seed=seed, on_progress=on_progress).cpu()

        return self.with_room(made)

    def decoded(self, latents: Tensor, on_progress: OnProgress = silent) -> Tensor:
        """The frames [4n + 1, H, W, 3] of latents, in [0, 1]."""
        return self.with_room(lambda: decode(self, latents, on_progress))
