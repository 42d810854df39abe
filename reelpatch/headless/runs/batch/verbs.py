"""The verbs that can be jobs: what their recipes are run for, and by which settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reelpatch.headless.models.chosen_recipe import EDITS, ENHANCES, PAIRS, PICTURES, RunKind
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.pair_set.settings import pair_settings
from reelpatch.headless.runs.picture_request import picture_settings
from reelpatch.headless.runs.settings import edit_settings, enhance_settings
from reelpatch.headless.runs.task_layout import task_settings
from reelpatch.recipes import Recipe

Key = tuple[Any, ...]


@dataclass(frozen=True)
class JobVerb:
    """A verb; `settings` raises `BadInput` for what its recipe cannot be run with."""

    kind: RunKind
    settings: Callable[[Any], Recipe]


VERBS = {
    "edit": JobVerb(EDITS, edit_settings),
    "enhance": JobVerb(ENHANCES, enhance_settings),
    "task": JobVerb(EDITS, task_settings),
    "picture": JobVerb(PICTURES, picture_settings),
    # Of `reelpatch pairs` alone: its file has a form of its own.
    "pair": JobVerb(PAIRS, pair_settings),
}


def settings_of(job: Job) -> Recipe:
    """The recipe of a job with what it says otherwise. Raises: `BadInput` for what cannot be run."""
    return VERBS[job.verb].settings(job.request)


def key_of(job: Job, settings: Recipe | None = None) -> Key:
    """What jobs have in common that can be run one after the other with the models of the first; `settings` are the job's, if known."""
    request, verb = job.request, VERBS[job.verb]
    machine = (request.models, request.device, request.dtype, request.vram_limit, request.fp8_matmul)
    machine += (request.vae_dtype,)
    return (
        verb.kind,
        request.recipe,
        bool((settings or settings_of(job)).strength),
        machine,
        request.text_cache,
        request.loras,
        request.lora_merge,
    )
