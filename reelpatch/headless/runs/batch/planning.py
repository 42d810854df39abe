"""Every job of a batch is checked and counted before the first weights are read; what is wrong with one stops no other."""

import logging
import os
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from reelpatch.errors import BadInput
from reelpatch.headless.models.chosen_recipe import ChosenRecipe
from reelpatch.headless.models.recipe_files import headers_found
from reelpatch.headless.models.this_machine import this_machine
from reelpatch.headless.runs.batch.checks import check_job
from reelpatch.headless.runs.batch.job import Cost, Job, Sized, State
from reelpatch.headless.runs.batch.job_identity import identity_of, is_there
from reelpatch.headless.runs.batch.verbs import VERBS, Key, key_of, settings_of
from reelpatch.headless.runs.identity import stamped_weights
from reelpatch.media.disk_faults import disk_fault
from reelpatch.plan.job import Job as PlannedJob
from reelpatch.plan.memory import GIB
from reelpatch.plan.plan import plan_edit
from reelpatch.progress import OnProgress
from reelpatch.recipes import Recipe, Role
from reelpatch.weights.header import KnownFile

Spelled = Callable[[str], str]
Entries = Mapping[str, Mapping[str, Any]]
"""The jobs of an earlier report by their outputs."""
_REMEMBERED = 16  # recipes whose files were found, while jobs are checked
_log = logging.getLogger(__name__)


class JobPlanner(Protocol):
    """Plans one job after the other, among what an earlier report says of them."""

    def plan(self, job: Job) -> None:
        """Raises: `BadInput` for a job that cannot be made."""
        ...


def plan_jobs(
    jobs: Sequence[Job],
    planner: JobPlanner,
    reads: Iterable[tuple[str, Path]],
    on_progress: OnProgress,
    spelled: Spelled,
) -> None:
    """Finds out of each job whether it can be made, what it takes, and whether an earlier run made it.

    `reads` are the files that no job may overwrite, and `spelled` says how settings are called.
    """
    refuse_shared_outputs(jobs, reads, spelled)
    with _quietly():
        for number, job in enumerate(jobs, 1):
            if job.state is State.WAITING:
                with refusing(job, spelled):
                    planner.plan(job)
            on_progress("checking the jobs", number, len(jobs))


@contextmanager
def refusing(job: Job, spelled: Spelled) -> Generator[None]:
    """Gives a job the sentence of what goes wrong inside, and goes on."""
    try:
        yield
    except BadInput as error:
        job.refuse(error.naming(spelled))
    except Exception as error:
        said = disk_fault(error)
        if said is None:
            _log.exception("This is a defect of Reelpatch; please report it with the lines below.")
        job.refuse(said or f"unexpected {type(error).__name__}: {error}")


@contextmanager
def _quietly() -> Generator[None]:
    """Without what a run says of its own: each says it when it begins."""
    log = logging.getLogger("reelpatch")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def refuse_shared_outputs(jobs: Sequence[Job], reads: Iterable[tuple[str, Path]], spelled: Spelled) -> None:
    """Refuses jobs with one output, and those whose output is read by another or is one of the files `reads`."""
    makers: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        with refusing(job, spelled):
            if job.target is not None:
                makers[_one_name(job.target)].append(job)
    for same in makers.values():
        for job in same if len(same) > 1 else ():
            others = [one.line for one in same if one is not job]
            where = f"line {others[0]}" if others[0] != job.line else "another file that its pattern finds"
            job.refuse(
                f"its output {job.target} is that of {where} too: give each an output of its own ({{clip}} in it is the "
                "name of the clip that a pattern finds)."
            )
    readers = {_one_name(path): what for what, path in reads}
    for job in jobs:
        with refusing(job, spelled):
            for what, path in () if job.request is None else job.request.inputs:
                name = _one_name(path)
                if all(maker is not job for maker in makers.get(name, (job,))):
                    readers.setdefault(name, f"{what} of line {job.line}")
    for name, what in readers.items():
        for job in makers.get(name, ()):
            job.refuse(
                f"its output {job.target} is the {what}, which stays as it is while jobs run: name another, or run one after "
                "the other in two batches."
            )


def _one_name(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))


class RunPlanner:
    """As `JobPlanner`, for jobs that are run by an engine, here or elsewhere; remembers what jobs have in common."""

    def __init__(self, before: Entries) -> None:
        self._before, self._machine = before, this_machine()
        self._models: OrderedDict[Key, tuple[ChosenRecipe, list[Any]]] = OrderedDict()
        self._costs: dict[int, Cost] = {}
        self._headers: dict[tuple[str, Path | None], dict[Role, KnownFile]] = {}

    def plan(self, job: Job) -> None:
        """Raises: `BadInput` for a job that cannot be made."""
        settings = settings_of(job)
        models, weights = self._models_of(job, settings)
        models.under(settings)
        entry = self._before.get(str(job.target))
        if entry is not None and is_there(entry.get("outputs", [])):
            job.identity = identity_of(job, models, weights)
            if job.identity == entry.get("identity"):
                take_over(job, entry)
                return
            job.earlier = entry
        job.sized = check_job(job, settings, models)
        job.cost = self._cost(job, job.sized, settings)

    def _models_of(self, job: Job, settings: Recipe) -> tuple[ChosenRecipe, list[Any]]:
        key = key_of(job, settings)
        if key not in self._models:
            models = ChosenRecipe(VERBS[job.verb].kind, settings, job.request.asked_models)
            self._models[key] = (models, stamped_weights(models.files))
        self._models.move_to_end(key)
        if len(self._models) > _REMEMBERED:
            self._models.popitem(last=False)
        return self._models[key]

    def _cost(self, job: Job, sized: Sized, settings: Recipe) -> Cost:
        request = job.request
        machine_options = (request.models, request.dtype, request.vae_dtype, request.vram_limit)
        same = hash(repr((settings, replace(sized, shown=None), machine_options)))
        if same not in self._costs:
            machine = self._machine
            if request.vram_limit is not None and machine.vram is not None:
                machine = replace(machine, vram=min(machine.vram, int(request.vram_limit * GIB)))
            planned = PlannedJob(settings, sized.frames, sized.size, references=sized.references)
            found = self._headers_of(settings, request.models)
            plan = plan_edit(planned, found, (machine,), dtype=request.dtype, vae_dtype=request.vae_dtype)
            (here,) = plan.machines
            spans = [timed.total for timed in here.durations]
            minutes = (
                (sized.windows * spans[0].low / 60, sized.windows * spans[0].high / 60) if spans else None
            )
            on_card = machine.vram is not None
            memory = here.memory.peak.total if on_card else here.memory.ram
            tflop = plan.work.total / 1e12 * sized.windows
            cost = Cost(tflop, "VRAM" if on_card else "RAM", memory / GIB, minutes, here.missing)
            self._costs[same] = cost
        return self._costs[same]

    def _headers_of(self, settings: Recipe, models: Path | None) -> dict[Role, KnownFile]:
        """As `headers_found`, read once: no setting of a recipe names other files."""
        key = (settings.name, models)
        if key not in self._headers:
            self._headers[key] = headers_found(settings, models)
        return self._headers[key]


def take_over(job: Job, entry: Mapping[str, Any]) -> None:
    job.state, job.outputs, job.seconds = State.KEPT, list(entry["outputs"]), entry.get("seconds")
