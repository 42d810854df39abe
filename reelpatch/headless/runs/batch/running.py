"""How each verb of a job runs, with models that are loaded."""

from typing import Any

from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.hosts.pair_maker import PairMaker
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.verbs import settings_of
from reelpatch.headless.runs.edit import run_edit
from reelpatch.headless.runs.edit_chain import run_edits
from reelpatch.headless.runs.enhance import run_enhance
from reelpatch.headless.runs.pair_set.making import make_pair
from reelpatch.headless.runs.picture import PictureRun, run_picture
from reelpatch.headless.runs.result import RunResult
from reelpatch.headless.runs.task import run_task
from reelpatch.progress import OnProgress

_MODELS: dict[str, type[LoadedRecipe]] = {
    "edit": Editor,
    "enhance": Enhancer,
    "task": Editor,
    "picture": PictureEditor,
    "pair": PairMaker,
}
_RUNS: dict[str, Any] = {
    "edit": run_edit,
    "enhance": run_enhance,
    "task": run_task,
    "picture": run_picture,
    "pair": make_pair,
}


def models_for(job: Job) -> LoadedRecipe:
    """The models of a job, of which no weights are read yet. Raises: `BadInput` as `LoadedRecipe`."""
    return _MODELS[job.verb](settings_of(job), **job.request.for_runner())


def run_job(job: Job, on_progress: OnProgress, models: Any) -> RunResult | PictureRun:
    """Runs a job as its verb does, with models of `models_for`. Raises: as the verb."""
    if job.edits is not None:
        return run_edits(job.request, job.edits, on_progress, models)
    return _RUNS[job.verb](job.request, on_progress, models)
