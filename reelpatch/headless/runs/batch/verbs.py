"""The verbs that can be jobs: whose models they use, by which settings, and how they run with models that are loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.hosts.pair_maker import PairMaker
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.edit import run_edit
from reelpatch.headless.runs.edit_chain import run_edits
from reelpatch.headless.runs.enhance import run_enhance
from reelpatch.headless.runs.pair_set.making import make_pair, pair_settings
from reelpatch.headless.runs.picture import run_picture
from reelpatch.headless.runs.picture_request import picture_settings
from reelpatch.headless.runs.settings import edit_settings, enhance_settings
from reelpatch.headless.runs.task import run_task, task_settings
from reelpatch.progress import OnProgress
from reelpatch.recipes import Recipe

Key = tuple[Any, ...]


@dataclass(frozen=True)
class JobVerb:
    """A verb; `settings` raises `BadInput` for what its recipe cannot be run with, and `run` as the verb itself does."""

    models: Callable[..., LoadedRecipe]
    settings: Callable[[Any], Recipe]
    run: Callable[[Job, OnProgress, Any], Any]


def _edit(job: Job, on_progress: OnProgress, models: Editor) -> Any:
    if job.edits is not None:
        return run_edits(job.request, job.edits, on_progress, models)
    return run_edit(job.request, on_progress, models)


VERBS = {
    "edit": JobVerb(Editor, edit_settings, _edit),
    "enhance": JobVerb(
        Enhancer, enhance_settings, lambda job, told, models: run_enhance(job.request, told, models)
    ),
    "task": JobVerb(Editor, task_settings, lambda job, told, models: run_task(job.request, told, models)),
    "picture": JobVerb(
        PictureEditor, picture_settings, lambda job, told, models: run_picture(job.request, told, models)
    ),
    # Of `reelpatch pairs` alone: its file has a form of its own.
    "pair": JobVerb(PairMaker, pair_settings, lambda job, told, models: make_pair(job.request, told, models)),
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
        verb.models,
        request.recipe,
        bool((settings or settings_of(job)).strength),
        machine,
        request.text_cache,
        request.loras,
        request.lora_merge,
    )


def models_for(job: Job) -> LoadedRecipe:
    """The models of a job, of which no weights are read yet. Raises: `BadInput` as `LoadedRecipe`."""
    return VERBS[job.verb].models(settings_of(job), **job.request.for_runner())
