"""Edits of pictures from file to file: everything is checked and said before weights are loaded."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
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
from reelpatch.headless.runs.identity import request_identity, stamped_weights
from reelpatch.headless.runs.picture_folder import PictureFolder
from reelpatch.headless.runs.picture_material import Material, check_outputs, read_material
from reelpatch.headless.runs.picture_request import PictureRequest, picture_settings
from reelpatch.headless.runs.rewriting import comment_of, rewritten_picture
from reelpatch.media.contact_sheet import SheetRow, contact_sheet, thumbnail
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.output_lock import owns_output
from reelpatch.media.pictures import pictures_at, read_picture
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
    run = _Run(request, settings, editor, _png_text(said), on_progress)
    results = run.one() if request.has_one_result else run.several(paths)
    return PictureRun(
        output=request.target,
        results=results,
        sheet=None if request.has_one_result else request.target / SHEET,
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


@dataclass(frozen=True)
class _Run:
    """All edits of a request by one editor; `text` goes into every result."""

    request: PictureRequest
    settings: Recipe
    editor: PictureEditor
    text: PngInfo
    on_progress: OnProgress

    def one(self) -> tuple[PictureResult, ...]:
        """The result of one picture and one seed."""
        request = self.request
        made = self._edited(read_material(request, request.image, self.settings), request.seed)
        with saved_at(request.target) as part:
            self._save(made, part)
        return (PictureResult(request.image, request.seed, request.target, made.shape[:2]),)

    def several(self, paths: Sequence[Path]) -> tuple[PictureResult, ...]:
        """The results of several pictures or seeds and their sheet, all of which appear at once.

        Raises: `KeyboardInterrupt` with how many are kept.
        """
        folder = PictureFolder(self.request.target)
        try:
            results = self._into(folder, paths)
            folder.finish()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"stopped; {folder.num_made} of {len(paths) * self.request.seeds} pictures are finished and kept in {folder.path}: "
                "the same command goes on from there."
            ) from None
        finally:
            folder.give_up()
        return results

    def _into(self, folder: PictureFolder, paths: Sequence[Path]) -> tuple[PictureResult, ...]:
        request, results, rows = self.request, list[PictureResult](), list[SheetRow]()
        weights = stamped_weights(self.editor.files)
        for path in paths:
            material = read_material(request, path, self.settings)
            row = SheetRow(path.name, [thumbnail(material.picture.pixels)], ["as it was"])
            for seed in range(request.seed, request.seed + request.seeds):
                name = _name(request, path, seed)
                alone = replace(request, image=path, seed=seed, seeds=1)
                made_of = request_identity(alone, self.editor, weights)
                found = folder.found(name, made_of)
                if found is None:
                    save = partial(self._save, self._edited(material, seed))
                    found = folder.add(name, made_of, save)
                made = read_picture(found).pixels
                results.append(PictureResult(path, seed, request.target / name, made.shape[:2]))
                row.pictures.append(thumbnail(made))
                row.captions.append(f"seed {seed}")
            rows.append(row)
        folder.add(SHEET, {}, lambda part: contact_sheet(rows).save(part, format="PNG"))
        return tuple(results)

    def _edited(self, material: Material, seed: int) -> Pixels:
        """One result; the film, if one is wanted, is written on the way."""
        made = self.editor.edit(
            material.worked.picture,
            self.request.instruction,
            seed=seed,
            fit=material.worked.fit,
            on_progress=self.on_progress,
        )
        if self.request.reasoning_film is not None:
            film = Video(to_bytes(made.film), Fraction(self.editor.recipe.fps))
            write_video(film, self.request.reasoning_film)
        return to_bytes(material.worked.finished(made.picture))

    def _save(self, made: Pixels, part: Path) -> None:
        Image.fromarray(made).save(part, format="PNG", pnginfo=self.text)


def _name(request: PictureRequest, path: Path, seed: int) -> str:
    # Pictures of one name and of different kinds keep apart.
    kind = path.suffix.lower().removeprefix(".")
    numbered = f"_seed{seed}" if request.seeds > 1 else ""
    return f"{path.stem}_{kind}{numbered}_edited.png"
