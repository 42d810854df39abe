"""One job after the other in one process: the models of a recipe stay loaded as long as jobs of it follow."""

import threading
import time
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models.embedded_texts import free_memory
from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.batch.job_identity import identity_of
from reelpatch.headless.runs.batch.models_in_turn import ModelsInTurn
from reelpatch.headless.runs.batch.planning import Spelled, refusing, take_over
from reelpatch.headless.runs.batch.running import models_for, run_job
from reelpatch.headless.runs.batch.turns import Turn
from reelpatch.headless.runs.batch.verbs import Key, key_of, settings_of
from reelpatch.headless.runs.enhance import enhance_ahead
from reelpatch.headless.runs.identity import stamped_weights
from reelpatch.headless.runs.picture import PictureRun
from reelpatch.headless.runs.result import RunResult
from reelpatch.progress import OnProgress
from reelpatch.windows.file_stamp import stamp


class Results(Protocol):
    """Where results go that are not to stay where their outputs say."""

    def placed(self, job: Job) -> AbstractContextManager[Job]:
        """The job with an output that is there for a while."""
        ...

    def keep(self, job: Job, written: list[Any]) -> list[Any]:
        """Takes over what was written, by its stamps; stamps of what is kept."""
        ...


class JobMaker:
    """Makes jobs, and holds the models of one recipe at a time; those of another are let go before."""

    def __init__(self, spelled: Spelled, results: Results | None = None) -> None:
        self._spelled, self._results = spelled, results
        self._key: Key | None = None
        self._held: tuple[LoadedRecipe, list[Any]] | None = None
        self._in_turn: ModelsInTurn | None = None
        self._one_at_a_time = threading.Lock()

    def make(self, job: Job, on_progress: OnProgress, turn: Turn | None = None) -> None:
        """Makes a job, or says of it why it is not done; in its `turn` where jobs of one recipe run side by side.

        Raises: `KeyboardInterrupt` where it is stopped; what it had finished is kept as its verb keeps it.
        """
        began = time.monotonic()
        try:
            with refusing(job, self._spelled):
                self._make(job, on_progress, turn)
        except KeyboardInterrupt as stop:
            job.state, job.said = State.STOPPED, str(stop) or "stopped; the next run begins it anew."
            raise KeyboardInterrupt(f"Line {job.line}: {job.said}") from None
        if job.state is State.DONE:
            waited_s = 0.0 if turn is None else turn.waited_s
            job.seconds = round(time.monotonic() - began - waited_s, 3)

    def let_go(self) -> None:
        """Gives the memory of the models back."""
        if self._held is None:
            return
        layers = self._held[0].layers_held
        self._key = self._held = self._in_turn = None
        free_memory(layers)

    def _make(self, job: Job, on_progress: OnProgress, turn: Turn | None) -> None:
        with self._one_at_a_time:
            loaded, weights = self._models_of(job)
            loaded = loaded if turn is None else self._models_in(turn, loaded)
        if job.window is not None:
            enhance_ahead(job.request, job.window, cast(Enhancer, loaded), on_progress)
            job.state = State.DONE
            return
        job.identity = identity_of(job, loaded.under(settings_of(job)), weights)
        if job.earlier is not None and job.earlier.get("identity") == job.identity:
            take_over(job, job.earlier)
            return
        if self._results is None:
            job.outputs = written(run_job(job, on_progress, loaded))
        else:
            with self._results.placed(job) as placed:
                job.outputs = self._results.keep(job, written(run_job(placed, on_progress, loaded)))
        job.state, job.said = State.DONE, ""

    def _models_in(self, turn: Turn, loaded: LoadedRecipe) -> Any:
        self._in_turn = self._in_turn or ModelsInTurn(loaded)
        return self._in_turn.of_job(turn)

    def _models_of(self, job: Job) -> tuple[LoadedRecipe, list[Any]]:
        """With stamps of their files. Raises: `BadInput` as `LoadedRecipe`."""
        key = key_of(job)
        if self._held is None or key != self._key:
            self.let_go()
            models = models_for(job)
            self._key, self._held = key, (models, stamped_weights(models.files))
        return self._held


def written(result: RunResult | PictureRun) -> list[Any]:
    """Stamps of all files and folders that a job has written."""
    more = result.film if isinstance(result, PictureRun) else result.picture
    return [stamp(path) for path in (result.output, more) if path is not None]
