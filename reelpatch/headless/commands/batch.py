"""The verb `batch`: many jobs from a file, each what a verb of this command line takes."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import batch_workers, console, edit, enhance, picture, task
from reelpatch.headless.commands.option_values import as_option
from reelpatch.headless.models.lasting_imports import lasting_imports

if TYPE_CHECKING:
    from reelpatch.headless.runs.batch.job import Job
    from reelpatch.headless.runs.batch.report import Report
    from reelpatch.headless.runs.workers.workers import Workers

_REQUESTS = {
    "edit": edit.request_of,
    "enhance": enhance.request_of,
    "task": task.request_of,
    "picture": picture.request_of,
}
JobsOf = Callable[[int, dict[str, Any]], Iterator["Job"]]
_MOST_JOBS = 100_000
_ABOUT = """\
Each line of JOBS is one job: its field verb is edit, enhance, task or picture, and its other fields are named as that verb's
options and places, with what stands on a command line as their values. A pattern such as "shots/*.mp4" as clip (or image)
makes one job for each file. Relative files begin at the folder of JOBS."""
_EPILOG = """\
examples:
  reelpatch batch jobs.jsonl --dry-run
  reelpatch batch jobs.csv --defaults defaults.json --report reports/today
  reelpatch batch jobs.jsonl --devices cuda:0,cuda:1
  reelpatch batch jobs.jsonl --comfyui http://one:8188,http://two:8188

a line of jobs.jsonl; the first one may say defaults:
  {"defaults": {"recipe": "ditto-global", "fit": "pad"}}
  {"verb": "edit", "clip": "a.mp4", "instruction": "make it sepia", "seed": 7}

every combination of some values, and all results on one page, report.html:
  {"verb": "edit", "clip": "a.mp4", "each": {"instruction": ["make it sepia", "make it blue"], "seed": [1, 2]},
   "output": "a_{instruction}_{seed}.mp4"}   (on one line)

All jobs are checked and planned before the first weights are loaded; each recipe is loaded once. A job that is wrong stops no
other. Given again, the command makes what is not done, and what has changed since. Exit codes: 0 all jobs are done, 2 at
least one is not (the report says why), 130 stopped by Ctrl-C: what is finished stays."""


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "batch",
        help="many jobs from a file, each recipe loaded once",
        description=_ABOUT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=partial(_run, verbs.choices))
    add = parser.add_argument
    add(
        "jobs",
        type=Path,
        metavar="JOBS",
        help="a .jsonl with a job on each line, or a .csv with options as columns",
    )
    add(
        "--defaults",
        type=Path,
        metavar="FILE.json",
        help="an object of fields that every job has unless it says otherwise",
    )
    add("--dry-run", action="store_true", help="check and plan all jobs, show them, and stop")
    add(
        "--report",
        type=Path,
        metavar="DIR",
        help="folder of report.json, report.html and thumbnails (JOBS_report beside JOBS)",
    )
    batch_workers.add_to(parser)


def _run(
    parsers: Mapping[str, argparse.ArgumentParser], options: argparse.Namespace
) -> tuple[dict[str, Any], str]:
    batch_workers.check_workers(options)
    jobs = _read(parsers, options)
    from reelpatch.headless.runs.batch.planning import plan_jobs
    from reelpatch.headless.runs.batch.report import Report, counts
    from reelpatch.headless.runs.batch.table import table
    from reelpatch.media.output_lock import owned_output

    file: Path = options.jobs
    way = batch_workers.way_of(options, jobs)
    report = Report(options.report or file.absolute().with_name(f"{file.stem}_report"), file.absolute())
    reads = [
        ("file of jobs", file),
        *([] if options.defaults is None else [("file of defaults", options.defaults)]),
    ]
    if not options.dry_run:
        report.make_folder()
    with nullcontext() if options.dry_run else owned_output(report.path):
        with console.progress_bars() as on_progress:
            plan_jobs(jobs, way.planner(report.before()), reads, on_progress, as_option)
        if options.dry_run:
            return _answer(jobs, counts(jobs), None, options), table(jobs)
        console.log.info("%s", table(jobs).rstrip())
        _make(jobs, report, way.start)
    told = f"{sum(job.is_done for job in jobs)} of {len(jobs)} jobs are done: {report.path}, {report.page_path}\n"
    return _answer(jobs, counts(jobs), report.path, options), told


def _make(jobs: Sequence["Job"], report: "Report", start_workers: Callable[[], "Workers"] | None) -> None:
    """Here, or by workers where there are any and something is left to do."""
    from reelpatch.headless.runs.batch.job import State

    with lasting_imports():
        from reelpatch.headless.runs.batch.run import run_jobs

    if start_workers is None or all(job.state is not State.WAITING for job in jobs):
        with console.progress_bars() as on_progress:
            run_jobs(jobs, report, on_progress, as_option)
        return
    from reelpatch.headless.runs.workers.dispatch import dispatch_jobs

    workers = start_workers()
    with batch_workers.worker_bars(workers.names) as view:
        dispatch_jobs(jobs, workers, report, view)


def _answer(
    jobs: Sequence["Job"], counted: dict[str, int], report: Path | None, options: argparse.Namespace
) -> dict[str, Any]:
    """With the jobs only where somebody reads them: of many lines they take as much room as all else."""
    answer: dict[str, Any] = {"counts": counted, "report": None if report is None else str(report)}
    if options.json:
        answer["jobs"] = [job.as_dict() for job in jobs]
    wrong = [job for job in jobs if job.said]
    if wrong:
        first = f"line {wrong[0].line}: {wrong[0].said}"
        said = "cannot be done" if report is None else "are not done"
        answer["error"] = f"{len(wrong)} of {len(jobs)} jobs {said}, the first of them {first}"
    return answer


def _read(parsers: Mapping[str, argparse.ArgumentParser], options: argparse.Namespace) -> list["Job"]:
    """The jobs of the file, with a sentence for each line that makes none."""
    from reelpatch.headless.commands.batch_lines import read_jobs

    file = read_jobs(options.jobs, options.defaults)
    folder: Path = options.jobs.absolute().parent
    jobs_of = _for_servers if options.comfyui is not None else _for_verbs
    read = jobs_of(parsers, folder, file.defaults)
    from reelpatch.headless.runs.batch.job import (
        Job,
    )  # with PyTorch, so that mistakes above are answered at once

    jobs: list[Job] = []
    for line in file.lines:
        if line.wrong:
            jobs.append(Job.wrong(line.number, "", line.wrong))
            continue
        try:
            for job in read(line.number, line.fields):
                jobs.append(job)
                if len(jobs) > _MOST_JOBS:
                    raise BadInput(f"the file makes more than {_MOST_JOBS} jobs: cut it into several files.")
        except BadInput as error:
            jobs.append(
                Job.wrong(line.number, str(line.fields.get("verb", ""))[:20], error.naming(as_option))
            )
    if not jobs:
        raise BadInput(f"the file of jobs {options.jobs} has defaults, but no job: write one on each line.")
    return jobs


def _for_verbs(
    parsers: Mapping[str, argparse.ArgumentParser], folder: Path, defaults: dict[str, Any]
) -> JobsOf:
    """Reads lines as what verbs take."""
    from reelpatch.headless.commands.batch_fields import JobParser

    parser = JobParser(parsers, folder, defaults)

    def read(line: int, fields: dict[str, Any]) -> Iterator["Job"]:
        return (_job(parser, line, one) for one in parser.jobs_of(fields))

    return read


def _for_servers(
    parsers: Mapping[str, argparse.ArgumentParser], folder: Path, defaults: dict[str, Any]
) -> JobsOf:
    """Reads lines as filled workflows."""
    from reelpatch.headless.commands.batch_servers import WorkflowParser

    parser = WorkflowParser(parsers, folder, defaults)

    def read(line: int, fields: dict[str, Any]) -> Iterator["Job"]:
        from reelpatch.headless.runs.batch.job import Job

        return (Job(line, verb, request) for verb, request in parser.requests_of(fields))

    return read


def _job(parser: Any, line: int, fields: dict[str, Any]) -> "Job":
    """The job of one line, or of one file that its pattern finds."""
    from reelpatch.headless.runs.batch.job import Job

    verb: str = fields["verb"]
    try:
        options = parser.options_of(fields)
        return Job(line, verb, _REQUESTS[verb](options), getattr(options, "edits", None))
    except BadInput as error:
        return Job.wrong(line, verb, error.naming(as_option))
