"""A frame of a clip, the first or another, edited as a picture first, by a recipe for pictures: written beside the result, then followed by the clip."""

import logging
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from PIL import Image
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.given_frame import GivenFrame, check_frame_number
from reelpatch.clips.mask_rule import AskedMask
from reelpatch.clips.worked_clip import Finishing
from reelpatch.errors import BadInput
from reelpatch.headless.models.chosen_recipe import PICTURES, ChosenRecipe
from reelpatch.headless.runs.first_frame import FirstFrame, check_can_follow, read_first_frame
from reelpatch.headless.runs.picture_request import PictureRequest, picture_settings
from reelpatch.headless.runs.request import EditRequest
from reelpatch.media.beside import beside
from reelpatch.media.frame_reader import FrameReader
from reelpatch.media.mask_file import WindowMask
from reelpatch.media.output_check import refuse_inputs
from reelpatch.media.saving import check_place
from reelpatch.recipes import Recipe
from reelpatch.windows.window_run import CutClip

_SOFT = AskedMask("luma", 0.0)
_log = logging.getLogger(__name__)


class ViaPicture:
    """How a frame becomes a picture that is edited: with the edit's instruction, seed, mask, finish and machine.

    Raises: `BadInput`, before any weights are read, for whatever the edit of the picture would be refused for, for a mask that
    leaves the frame as it is, and for a recipe or a clip that cannot follow one.
    """

    def __init__(
        self, request: EditRequest, settings: Recipe, clip: CutClip, mask: WindowMask | None
    ) -> None:
        self._request, self._settings, self._at = request, settings, request.at_frame
        self._size, self._plan = clip.header.size, clip.plan
        self.target = picture_beside(request.target, self._at)
        check_frame_number(self._at, clip.plan.clip_frames)
        self._frame = _frame_of(request)
        self._mask = None if mask is None else _mask_of(request, clip)
        self._finishing = request.finishing
        if self._mask is not None and bool((self._mask == 1).all()):
            self._mask, self._finishing = None, Finishing()
        self._check(request)

    def _check(self, request: EditRequest) -> None:
        if request.first_frame is not None:
            raise BadInput(
                f"frame {self._at} was given as it is to become, and is to be edited as a picture too: leave one of the two out.",
                setting=("first_frame", "via"),
            )
        check_can_follow(self._settings, "via", at=self._at)
        if self._settings.keeps_first_frame:
            GivenFrame(self._frame, at=self._at).check_follows(self._plan.clip_frames)
        if self._mask is not None and not bool(self._mask.any()):
            raise BadInput(
                f"the mask or the time range leaves frame {self._at} as it is, so that there is no edit of it to follow: leave this "
                "out.",
                setting="via",
            )
        asked = self._picture_request(Path(request.clip), None)
        check_place(self.target, ".png", request.inputs)
        chosen = ChosenRecipe(PICTURES, _settings_of(asked), asked.asked_models)
        refuse_inputs(self.target, chosen.weight_files)
        if not asked.rewriting.is_asked:
            chosen.check_text(chosen.recipe.check_pictures().instruction(asked.instruction))

    def made(self, edit_picture: Callable[[PictureRequest], object]) -> FirstFrame:
        """The edited frame, written by `edit_picture` and read again. Raises: `BadInput` as that."""
        with tempfile.TemporaryDirectory() as folder:
            frame, mask = (Path(folder) / f"{name}.png" for name in (f"frame {self._at}", "mask"))
            Image.fromarray(to_bytes(self._frame)).save(frame)
            if self._mask is not None:
                Image.fromarray(to_bytes(self._mask)).save(mask)
            edit_picture(self._picture_request(frame, None if self._mask is None else mask))
        _log.info(
            "Frame %d was edited as a picture by %s: look at %s. Given as that frame, it is used again.",
            self._at,
            self._request.via,
            self.target,
        )
        return read_first_frame(self.target, self._size, self._settings, plan=self._plan, at=self._at)

    def _picture_request(self, frame: Path, mask: Path | None) -> PictureRequest:
        """The edit of the frame; steps, guidance and LoRAs of the edit are not the picture's."""
        request = self._request
        assert request.via is not None
        return PictureRequest(
            frame,
            request.instruction,
            mask,
            _SOFT,
            self._finishing,
            rewriting=request.rewriting,
            recipe=request.via,
            seed=request.seed,
            models=request.models,
            device=request.device,
            dtype=request.dtype,
            vram_limit=request.vram_limit,
            text_cache=request.text_cache,
            fp8_matmul=request.fp8_matmul,
            vae_dtype=request.vae_dtype,
            output=self.target,
        )


def picture_beside(target: Path, at: int = 0) -> Path:
    """Where the edited frame of a result goes, by its number."""
    return beside(target, f"{target.stem}_frame{at}", ".png")


def _settings_of(asked: PictureRequest) -> Recipe:
    try:
        return picture_settings(asked)
    except BadInput as error:
        raise BadInput(str(error), setting="via") from error


def _frame_of(request: EditRequest) -> Tensor:
    at = request.at_frame
    with closing(FrameReader(request.clip, accept_damage=request.accept_damage)) as reader:
        return to_floats(reader.part(at, at + 1)[0])


def _mask_of(request: EditRequest, clip: CutClip) -> Tensor:
    """Read anew, because a mask that is read in order could not go back to the clip's beginning."""
    at = request.at_frame
    mask = WindowMask(request.mask, request.when, clip.header, clip.plan.clip_frames, request.asked_mask)
    with closing(mask):
        return mask.part(at, at + 1)[0]
