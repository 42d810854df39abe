"""Edits of pictures from file to file: everything is checked and said before weights are loaded."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reelpatch.clips.bytes_and_floats import to_bytes
from reelpatch.headless.models.lora import LoraReport
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.headless.rewriting.rewriter import Rewritten
from reelpatch.headless.runs.picture_material import Material, check_outputs, read_material
from reelpatch.headless.runs.picture_request import PictureRequest, picture_settings
from reelpatch.headless.runs.rewriting import comment_of, rewritten_picture
from reelpatch.media.contact_sheet import SheetRow, contact_sheet, thumbnail
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owns_output
from reelpatch.media.pictures import pictures_at
from reelpatch.media.saving import saved_at
from reelpatch.media.video_io import Video
from reelpatch.media.video_write import write_video
from reelpatch.progress import OnProgress, silent
from reelpatch.recipes import Recipe

SHEET = "contact_sheet.png"
Pixels = NDArray[np.uint8]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PictureResult:
    """One edited picture: where it came from, where it is, and its (height, width)."""

    picture: Path
    seed: int
    output: Path
    size: tuple[int, int]

    def as_dict(self) -> dict[str, Any]:
        """In plain types."""
        height, width = self.size
        return {
            "picture": str(self.picture),
            "seed": self.seed,
            "output": str(self.output),
            "width": width,
            "height": height,
        }


@dataclass(frozen=True)
class PictureRun:
    """What was done, for people and for `--json`; `sheet` shows all results where there are several."""

    output: Path
    results: tuple[PictureResult, ...]
    sheet: Path | None
    film: Path | None
    recipe: Recipe
    device: str
    dtype: str
    seconds: float
    loras: tuple[LoraReport, ...]
    rewriting: Rewritten | None = None

    def as_dict(self) -> dict[str, Any]:
        """In plain types."""
        return {
            "output": str(self.output),
            "pictures": [one.as_dict() for one in self.results],
            "contact_sheet": None if self.sheet is None else str(self.sheet),
            "reasoning_film": None if self.film is None else str(self.film),
            "recipe": self.recipe.name,
            "steps": self.recipe.steps,
            "reasoning_steps": self.recipe.check_pictures().reasoning_steps,
            "device": self.device,
            "dtype": self.dtype,
            "seconds": round(self.seconds, 3),
            "loras": [report.as_dict() for report in self.loras],
            **({} if self.rewriting is None else {"rewriting": self.rewriting.as_dict()}),
        }


@owns_output
def run_picture(
    request: PictureRequest, on_progress: OnProgress = silent, models: PictureEditor | None = None
) -> PictureRun:
    """Edits pictures and writes each at its own size, or larger where the recipe enlarges.

    Raises: `BadInput` for whatever the user can correct; nothing is written then, and weights are loaded only after
    everything else was found to be right. `models` that are loaded are those of the request.
    """
    began = time.monotonic()
    settings = picture_settings(request)
    paths = pictures_at(request.image)
    check_outputs(request)
    for path in paths:
        material = read_material(request, path, settings)
        for sentence in material.said:
            _log.info("%s", sentence)
    editor = PictureEditor(settings, **request.for_runner()) if models is None else models.under(settings)
    refuse_inputs(request.target, editor.weight_files)
    if request.reasoning_film is not None:
        refuse_inputs(request.reasoning_film, editor.weight_files, "reasoning_film")
    request, said = rewritten_picture(request, settings)
    editor.check_text(editor.how.instruction(request.instruction))
    _announce(request, settings, editor)
    if not request.has_one_result:
        request.target.mkdir(exist_ok=True)
    rows: list[SheetRow] = []
    results: list[PictureResult] = []
    for path in paths:
        material = read_material(request, path, settings)
        row = SheetRow(path.name, [thumbnail(material.picture.pixels)], ["as it was"])
        for seed, made in _edited(request, material, editor, on_progress):
            output = _output(request, path, seed)
            with saved_at(output) as part:
                Image.fromarray(made).save(part, format="PNG", pnginfo=_png_text(said))
            results.append(PictureResult(path, seed, output, (made.shape[0], made.shape[1])))
            row.pictures.append(thumbnail(made))
            row.captions.append(f"seed {seed}")
        rows.append(row)
    sheet = _written_sheet(request, rows)
    return PictureRun(
        output=request.target,
        results=tuple(results),
        sheet=sheet,
        film=request.reasoning_film,
        recipe=settings,
        device=str(editor.device),
        dtype=str(editor.dtype).removeprefix("torch."),
        seconds=time.monotonic() - began,
        loras=editor.lora_reports,
        rewriting=said,
    )


def _png_text(said: Rewritten | None) -> PngInfo:
    """What the file of a picture says of itself: what an instruction was and became, where it was rewritten."""
    text = PngInfo()
    if said is not None:
        text.add_itxt("Comment", comment_of(said))
    return text


def _announce(request: PictureRequest, settings: Recipe, editor: PictureEditor) -> None:
    how = settings.check_pictures()
    _log.info("%s", editor.files.describe())
    reasoning = f"{how.reasoning_steps} of them with reasoning, " if how.reasoning_steps else ""
    _log.info(
        "Recipe %s (%s): %d steps, %sguidance %g, %s on %s; the result goes to %s.",
        settings.name,
        settings.licence,
        settings.steps,
        reasoning,
        settings.guidance.scale,
        str(editor.dtype).removeprefix("torch."),
        editor.device,
        request.target,
    )
    if warning := how.warning(settings.steps):
        _log.warning("%s", warning)


def _edited(
    request: PictureRequest, material: Material, editor: PictureEditor, on_progress: OnProgress
) -> Iterator[tuple[int, Pixels]]:
    """The results of one picture, each with its seed; the film, if one is wanted, is written on the way."""
    for seed in range(request.seed, request.seed + request.seeds):
        made = editor.edit(
            material.worked.picture,
            request.instruction,
            seed=seed,
            fit=material.worked.fit,
            on_progress=on_progress,
        )
        if request.reasoning_film is not None:
            film = Video(to_bytes(made.film), Fraction(editor.recipe.fps))
            write_video(film, request.reasoning_film)
        yield seed, to_bytes(material.worked.finished(made.picture))


def _output(request: PictureRequest, path: Path, seed: int) -> Path:
    if request.has_one_result:
        return request.target
    # Pictures of one name and of different kinds keep apart.
    kind = path.suffix.lower().removeprefix(".")
    numbered = f"_seed{seed}" if request.seeds > 1 else ""
    return request.target / f"{path.stem}_{kind}{numbered}_edited.png"


def _written_sheet(request: PictureRequest, rows: list[SheetRow]) -> Path | None:
    if request.has_one_result:
        return None
    path = request.target / SHEET
    with saved_at(path) as part:
        contact_sheet(rows).save(part, format="PNG")
    return path
