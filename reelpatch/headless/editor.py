"""Edits by one recipe, whose models are kept loaded from edit to edit: frames in, edited frames out."""

from collections.abc import Callable, Sequence

from torch import Tensor

from reelpatch.clips.finish import paste_back
from reelpatch.clips.frames import FitPlan, plan_fit
from reelpatch.clips.mask_cover import Cover
from reelpatch.clips.masks import check_mask, over_all_frames
from reelpatch.edits.canvas.layout import PairCanvas
from reelpatch.edits.instruction import check_instruction
from reelpatch.edits.render import render
from reelpatch.edits.segments.layout import SegmentLayout
from reelpatch.edits.work import Material
from reelpatch.errors import BadInput
from reelpatch.headless.hosts.pair_maker import host_of
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models.chosen_recipe import EDITS
from reelpatch.progress import OnProgress, silent
from reelpatch.sampling.noise import FrameNoise


class Editor(LoadedRecipe):
    """Edits clips with one recipe; weights are read when first needed and kept.

    Raises: `BadInput` as `LoadedRecipe`, and for a recipe that has no edit module.
    """

    kind = EDITS
    is_shared = True

    def edit(  # noqa: PLR0913 -- all that a person says of an edit
        self,
        clip: Tensor,
        instruction: str,
        *,
        mask: Tensor | None = None,
        references: Sequence[Tensor] = (),
        seed: int | FrameNoise = 0,
        plan: FitPlan | None = None,
        caption: str = "",
        times_in_result: bool | None = None,
        on_progress: OnProgress = silent,
    ) -> Tensor:
        """The edited clip, at the size and length of the source; pixels outside the mask are the source's.

        Shapes: clip [F, H, W, 3], mask [F, H, W], references [h, w, 3 | 4], all in [0, 1]; result as the clip.
        `caption` says what the clip shows, where the recipe shares attention; the instruction then says what it is to show.
        `times_in_result`: whether the model edits all frames and the result alone obeys the times of the mask; None as the recipe.
        `seed` starts the clip's noise; a part of a longer clip brings its own part of that clip's noise.
        Guarantees: the same seed gives the same noise on every device.
        Raises: `BadInput` for what does not fit the model, NaN weights or latents, too little memory, and a mask that is 0
            everywhere.
        """
        told = mask
        if mask is not None:
            check_mask(mask, *clip.shape[:3])
            Cover.of(mask).check_any()
            is_told_all = self.recipe.times_in_result if times_in_result is None else times_in_result
            told = over_all_frames(mask) if is_told_all else mask
        edited = self.render(
            clip,
            instruction,
            mask=told,
            references=references,
            seed=seed,
            plan=plan,
            caption=caption,
            on_progress=on_progress,
        )
        return edited if mask is None else paste_back(edited, clip, mask)

    def render(  # noqa: PLR0913 -- as `edit`
        self,
        clip: Tensor,
        instruction: str,
        *,
        mask: Tensor | None = None,
        references: Sequence[Tensor] = (),
        seed: int | FrameNoise = 0,
        plan: FitPlan | None = None,
        caption: str = "",
        first_frame: Tensor | None = None,
        on_grounding: Callable[[Tensor], None] | None = None,
        on_progress: OnProgress = silent,
    ) -> Tensor:
        """As `edit`, but as the model made it: outside the mask, pixels have been through the VAE.

        Shapes: first_frame [H, W, 3], frame 0 as it is to become, for a recipe on a pair canvas. `on_grounding` is told the frames
        [f, h, w, 3] that show what will be changed, as they were worked on, where the recipe makes any.
        Raises: `BadInput` as `edit`, and for a first frame or a grounding clip that is asked of a recipe without such.
        """
        check_instruction(instruction)
        if first_frame is not None and self.recipe.canvas is None:
            raise BadInput(
                f"the recipe '{self.recipe.name}' works on no pair canvas: put the first frame into the clip, and keep it there by "
                "the mask."
            )
        if on_grounding is not None:
            self.recipe.check_grounds()
        plan = plan or plan_fit(*clip.shape[:3], lattice=self.recipe.lattice)
        if mask is not None:
            check_mask(mask, *clip.shape[:3])
        if isinstance(self.recipe.method, SegmentLayout | PairCanvas):
            self.recipe.method.check_references(len(references))
        self.prepare(plan.frames, plan.size, len(references))
        prompt = self.recipe.prompt_for(instruction, references=len(references))

        def made() -> Tensor:
            host = host_of(self, prompt, on_progress, references=len(references), caption=caption)
            material = Material(clip, plan, mask, references, first_frame)
            return render(host, self.work, material, seed=seed, on_progress=on_progress, on_lead=on_grounding)

        return self.with_room(made)
