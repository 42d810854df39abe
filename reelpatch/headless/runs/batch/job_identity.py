"""What tells the result of a job from all others: its request, the content of all that it reads, and the weights."""

import hashlib
import json
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.models.chosen_recipe import ChosenRecipe
from reelpatch.headless.models.recipe_files import RecipeFiles
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.edits_file import read_edits
from reelpatch.headless.runs.identity import request_identity, stamped_weights
from reelpatch.headless.runs.workers.results import is_stored
from reelpatch.recipes import recipe
from reelpatch.windows.file_stamp import is_unchanged


def identity_of(job: Job, models: ChosenRecipe, weights: list[Any]) -> str:
    """A digest of everything that decides a result, and where and how it is written.

    `weights` are stamps of the files of `models`, which are under the job's settings. Of several devices of one type it is
    the same.
    Raises: `BadInput` for a file that cannot be read.
    """
    request = job.request
    each = [request] if job.edits is None else read_edits(job.edits, request)
    decides = {
        "verb": job.verb,
        "output": str(request.target.absolute()),
        "lossless": request.lossless,
        "requests": [request_identity(one, models, weights) | {"device": models.device.type} for one in each],
        "picture before": _picture_weights(request),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()


def _picture_weights(request: Any) -> list[Any]:
    """Of the recipe by which frame 0 is edited as a picture first."""
    via = getattr(request, "via", None)
    return [] if via is None else stamped_weights(RecipeFiles.find(recipe(via), request.models))


def is_there(outputs: list[Any]) -> bool:
    """Whether what a job has written is there, and as it was then."""
    try:
        return bool(outputs) and all(
            is_stored(one) if "://" in one[0] else Path(one[0]).exists() and is_unchanged(one)
            for one in outputs
        )
    except (BadInput, LookupError, TypeError):  # unreadable, or a stamp that is none
        return False
