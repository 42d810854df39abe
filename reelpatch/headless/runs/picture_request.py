"""The request of `picture`: what is edited, how, and where results go."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from reelpatch.clips.mask_rule import AskedMask
from reelpatch.clips.worked_clip import Finishing
from reelpatch.errors import BadInput
from reelpatch.headless.rewriting.options import RewriteOptions
from reelpatch.headless.runs.request import RunRequest
from reelpatch.headless.runs.settings import check_seed
from reelpatch.recipes import Recipe, recipe
from reelpatch.sampling.schedules import make_sigmas

_MOST_SEEDS = 1000


@dataclass(frozen=True, slots=True)
class PictureRequest(RunRequest):
    """One picture, or each picture of a folder, edited `seeds` times with seeds from `seed` on.

    Units: `size` (height, width) in pixels names how many pixels are worked on, in the picture's own shape;
    `reasoning_steps` as in `PictureEdit`. `output` is a PNG where there is one result, else a folder.
    """

    image: Path
    instruction: str = ""
    mask: Path | None = None
    asked_mask: AskedMask = AskedMask()
    finishing: Finishing = Finishing()
    seeds: int = 1
    reasoning_steps: int | None = None
    reasoning_film: Path | None = None
    rewriting: RewriteOptions = RewriteOptions()
    recipe: str = field(default="chronoedit-8step", kw_only=True)

    @property
    def has_one_result(self) -> bool:
        """Whether a single picture is made, and not a folder of them."""
        return self.seeds == 1 and not self.image.is_dir()

    @property
    def target(self) -> Path:
        """Where the result goes: beside the picture, unless said otherwise."""
        if self.output is not None:
            return self.output
        path = self.image.absolute()
        stem = path.name if path.is_dir() else path.stem
        return path.with_name(f"{stem}_edited{'.png' if self.has_one_result else ''}")

    @property
    def inputs(self) -> list[tuple[str, Path]]:
        masks = [] if self.mask is None else [("mask", self.mask)]
        return [("picture", self.image), *masks, *(("LoRA", path) for path, _ in self.loras)]


def picture_settings(request: PictureRequest) -> Recipe:
    """The recipe with what the request says otherwise.

    Raises: `BadInput` for an unknown recipe, one that edits clips, and what it cannot run with.
    """
    settings = recipe(request.recipe)
    how = settings.check_pictures()
    how.instruction(request.instruction)
    check_seed(request.seed)
    if not 1 <= request.seeds <= _MOST_SEEDS:
        raise BadInput(f"{request.seeds} results were asked for: use 1 to {_MOST_SEEDS} (--seeds).")
    check_seed(request.seed + request.seeds - 1)
    steps = settings.steps if request.steps is None else request.steps
    settings = replace(settings, steps=steps).guided(request.guidance, request.guidance_steps)
    make_sigmas(settings.schedule, settings.steps, shift=settings.shift)  # refuses what it cannot do
    settings = settings.reasoning_for(request.reasoning_steps)
    _check_film(request, settings)
    how.check_mask(is_given=request.mask is not None)
    return settings


def _check_film(request: PictureRequest, settings: Recipe) -> None:
    if request.reasoning_film is None:
        return
    steps = settings.check_pictures().reasoning_steps
    if steps < settings.steps:
        found = f"dropped at step {steps} of {settings.steps}" if steps else "never imagined"
        raise BadInput(
            f"the frames between the picture and its edit are {found}, so that there is no film of them: keep them to the end "
            f"(--reasoning-steps {settings.steps}), or leave --reasoning-film out."
        )
    if not request.has_one_result:
        raise BadInput(
            "--reasoning-film is the film of one result, but several were asked for: give one picture and one seed, or leave it "
            "out."
        )
    if request.reasoning_film.absolute() == request.target.absolute():
        raise BadInput(
            f"the film and the picture would both be written to {request.target}: name two files (--reasoning-film, --output)."
        )
