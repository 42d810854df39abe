"""The clip of a request in the windows that it is worked on in."""

from fractions import Fraction

from reelpatch.headless.runs.request import EditRequest, EnhanceRequest
from reelpatch.media.frame_reader import ClipHeader
from reelpatch.recipes import Recipe
from reelpatch.windows.window_run import CutClip, find_windows


def cut_clip(
    request: EditRequest | EnhanceRequest, settings: Recipe, header: ClipHeader | None = None
) -> CutClip:
    """Its windows, as the recipe has them where the request says nothing; `header` is the clip's, where it was read already.

    Raises: `BadInput` as `find_windows`.
    """
    return find_windows(
        request.clip,
        request.windows,
        lattice=settings.lattice,
        usual=settings.frames,
        folder_fps=request.fps or Fraction(settings.fps),
        header=header,
    )
