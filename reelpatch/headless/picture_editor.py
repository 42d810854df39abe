"""Edits pictures by one recipe, whose models are kept loaded: a picture in, the edited picture and its film out."""

from dataclasses import dataclass, replace

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

from reelpatch.clips.frames import as_clip, plan_fit
from reelpatch.edits.reasoning.decode import decode_film
from reelpatch.edits.reasoning.drop import Drop
from reelpatch.edits.reasoning.settings import PictureEdit
from reelpatch.edits.reasoning.sizing import PictureFit, fit_picture
from reelpatch.edits.work import EditSettings, Material
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.hosts.spaced_rotary import space_positions
from reelpatch.headless.hosts.wan_host import SeenPicture
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models.chosen_recipe import PICTURES
from reelpatch.headless.models.embedded_texts import KEPT_ENCODER_BYTES
from reelpatch.headless.models.picture_encoder import PictureEncoder, load_picture_encoder
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe
from reelpatch.recipes.levels import sigmas_of
from reelpatch.sampling.noise import draw_noise


@dataclass(frozen=True, eq=False)
class EditedPicture:
    """What became of a picture.

    Shapes: picture [H, W, 3] in [0, 1]; film [F, h, w, 3] at the size that was worked on, from the picture as it was to its
        edit, with the imagined way between them where that was kept to the end.
    """

    picture: Tensor
    film: Tensor


class PictureEditor(LoadedRecipe):
    """Edits pictures with one recipe; weights are read when first needed and kept.

    Raises: `BadInput` as `LoadedRecipe`, for a recipe that edits clips, and for a backbone that lacks the branch by which it
    would see the picture's embedding.
    """

    kind = PICTURES
    _seen: tuple[Tensor, SeenPicture] | None = None
    _encoder: PictureEncoder | None = None

    @property
    def how(self) -> PictureEdit:
        """How the recipe edits pictures."""
        return self.recipe.check_pictures()

    def under(self, recipe: Recipe) -> "PictureEditor":
        self._seen = None  # is as long as the film of its settings
        return super().under(recipe)

    def adapt(self, backbone: nn.Module) -> None:
        assert isinstance(backbone, WanTransformer3DModel)
        space_positions(backbone)

    def edit(
        self,
        picture: Tensor,
        instruction: str,
        *,
        seed: int = 0,
        fit: PictureFit | None = None,
        on_progress: OnProgress = silent,
    ) -> EditedPicture:
        """The edited picture, at its own size; a recipe that enlarges gives it at the size it was worked on.

        Shapes: picture [H, W, 3] in [0, 1].
        Guarantees: the same seed gives the same noise on every device.
        Raises: `BadInput` for what does not fit the model, NaN weights or latents, and too little memory.
        """
        text = self.how.instruction(instruction)
        lattice, frames = self.recipe.lattice, self.recipe.frames
        area = (self.recipe.height, self.recipe.width)
        fit = fit or fit_picture((picture.shape[0], picture.shape[1]), lattice, area)
        self.prepare(frames, fit.size)
        film = self.with_room(lambda: self._film(text, fit.fit(picture), fit.size, seed, on_progress))
        return EditedPicture(film[-1] if self.how.enlarges else fit.restore(film[-1]), film)

    def _film(
        self, text: str, picture: Tensor, size: tuple[int, int], seed: int, on_progress: OnProgress
    ) -> Tensor:
        """The frames [F, h, w, 3] from a picture of that size, (height, width), to its edit."""
        lattice, frames = self.recipe.lattice, self.recipe.frames
        positive, negative = self.text(text, on_progress), self.negative(self.recipe.guidance, on_progress)
        seen = self._see(picture, on_progress)
        models = self.transformer(on_progress)
        denoiser = Denoiser(
            models.backbone,
            positive,
            sigmas_of(self.recipe),
            negative=negative,
            guidance=self.recipe.guidance,
            on_step=models.at_step,
            picture=seen,
            predict=self.family.predict,
        )
        noise = draw_noise(lattice.latent_shape(frames, size), seed)
        drop = Drop(self.how.reasoning_steps) if self.how.reasoning_steps else None
        latents = self.sample(denoiser, noise, seed, on_progress, between=drop)
        del models, denoiser
        self.make_room_for_decoding()
        on_progress("decoding", 0, 1)
        film = as_clip(decode_film(latents, self.vae.decode).cpu())
        on_progress("decoding", 1, 1)
        return film

    def _see(self, picture: Tensor, on_progress: OnProgress) -> SeenPicture:
        """What the backbone is shown of a picture of working size; the last one is remembered, for further seeds."""
        if self._seen is not None and torch.equal(self._seen[0], picture):
            return self._seen[1]
        on_progress("looking at the picture", 0, 2)
        embedding = self._embedding(picture)
        on_progress("looking at the picture", 1, 2)
        plan = plan_fit(1, picture.shape[0], picture.shape[1], lattice=self.recipe.lattice)
        material = Material(picture[None], replace(plan, frames=self.recipe.frames))
        prepared = self.work.prepare(material, EditSettings(), self.encode)
        assert isinstance(prepared.seen, Tensor)
        self._seen = (picture, SeenPicture(prepared.seen, embedding))
        on_progress("looking at the picture", 2, 2)
        return self._seen[1]

    def _embedding(self, picture: Tensor) -> Tensor | None:
        """None where the recipe's backbone looks at none; a large encoder does not stay."""
        path = self.files.clip_vision
        if path is None:
            return None
        encoder = self._encoder or load_picture_encoder(path)
        if path.stat().st_size <= KEPT_ENCODER_BYTES:
            self._encoder = encoder
        return encoder.embed(picture)
