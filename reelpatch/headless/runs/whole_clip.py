"""A clip that is worked on whole, from its announcement to its result: what was made is never lost in the writing."""

from collections.abc import Callable
from dataclasses import replace

from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.runs.identity import request_identity
from reelpatch.headless.runs.request import RunRequest
from reelpatch.media.video_io import Frames, Video
from reelpatch.media.video_write import announce_result, write_video
from reelpatch.windows.kept_work import KeptWork, kept_if_writing_fails


def make_and_write(
    request: RunRequest, runner: LoadedRecipe, video: Video, make: Callable[[], Frames]
) -> Frames:
    """Writes what `make` returns, with all else that the clip `video` has; returns it.

    What an earlier run of the same request made but could not write is taken up instead of being made.
    Raises: `BadInput` for what cannot be written, before anything is made wherever that can be known; where it cannot,
        what was made is kept, and the sentence says where.
    """
    sound = announce_result(video, request.target, lossless=request.lossless)
    kept = KeptWork(request.target, request_identity(request, runner))
    window = kept.found()
    made = make() if window is None else window.pictures
    with kept_if_writing_fails(kept, made):
        write_video(replace(video, frames=made), request.target, lossless=request.lossless, sound=sound)
    return made
