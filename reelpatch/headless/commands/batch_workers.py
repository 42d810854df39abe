"""The options of `batch` that say who makes the jobs, and the view of several workers in a terminal."""

import argparse
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from reelpatch.errors import BadInput
from reelpatch.headless.commands.console import redraw
from reelpatch.headless.commands.option_values import as_option, whole

if TYPE_CHECKING:
    from tqdm import tqdm

    from reelpatch.headless.runs.batch.job import Job
    from reelpatch.headless.runs.batch.planning import Entries, JobPlanner
    from reelpatch.headless.runs.workers.workers import Workers

_WAYS = ("devices", "ray", "comfyui")
_MOST_NAMES, _MOST_ACTORS = 64, 10_000


def add_to(parser: argparse.ArgumentParser) -> None:
    """Adds the options to the verb."""
    add = parser.add_argument
    add(
        "--devices",
        type=_names,
        metavar="NAME,NAME",
        help="a process for each of these devices, such as cuda:0,cuda:1 or cpu,cpu",
    )
    add(
        "--ray",
        metavar="ADDRESS",
        help="actors of a Ray cluster: host:6379, ray://host:10001, auto for the one this machine belongs to, local for a new one",
    )
    add(
        "--ray-workers",
        type=_actors,
        metavar="N",
        help="how many actors are asked for (one for each card that there is, or where there is none, for each node)",
    )
    add(
        "--results",
        metavar="URL",
        help="where actors put results: s3://bucket/folder, gs://..., or any address that fsspec knows (as output says)",
    )
    add(
        "--comfyui",
        type=_names,
        metavar="URL,URL",
        help="ComfyUI servers that make the jobs, such as http://host:8188 (docs/api.md)",
    )
    add(
        "--headers",
        type=Path,
        metavar="FILE",
        help="HTTP headers for these servers, one on each line, where a login stands in front of them",
    )


def check_workers(options: argparse.Namespace) -> None:
    """Raises: `BadInput` for options that exclude each other."""
    given = [name for name in _WAYS if getattr(options, name) is not None]
    if len(given) > 1:
        raise BadInput(
            f"{' and '.join(map(as_option, given))} both say who makes the jobs: give one of them."
        )
    for name, way, what in (
        ("headers", "comfyui", "ComfyUI servers"),
        ("results", "ray", "actors of Ray"),
        ("ray_workers", "ray", "actors of Ray"),
    ):
        if getattr(options, name) is not None and getattr(options, way) is None:
            raise BadInput(f"{as_option(name)} is for {what}: give {as_option(way)} too, or leave it out.")


@dataclass(frozen=True)
class Way:
    """Who makes the jobs: `planner` makes what plans them of an earlier report's entries, `start` starts the workers, and is None
    where this process makes them.
    """

    planner: Callable[["Entries"], "JobPlanner"]
    start: Callable[[], "Workers"] | None = None


def way_of(options: argparse.Namespace, jobs: Sequence["Job"]) -> Way:
    """Who makes the jobs. Raises: `BadInput` for devices that are not there, and where no server answers."""
    from reelpatch.headless.runs.batch.planning import RunPlanner

    if options.comfyui is not None:
        return _on_servers(options)
    if options.ray is not None:
        return _on_ray(options, jobs)
    if options.devices is None:
        return Way(RunPlanner)
    from reelpatch.headless.runs.workers.local import LocalWorkers, check_devices

    kind = check_devices(options.devices)
    for job in jobs:
        _place(job, kind)
    return Way(RunPlanner, lambda: LocalWorkers(options.devices, as_option))


def _on_ray(options: argparse.Namespace, jobs: Sequence["Job"]) -> Way:
    from reelpatch.headless.runs.batch.planning import RunPlanner, refusing
    from reelpatch.headless.runs.workers.ray_workers import RayWorkers, connect
    from reelpatch.headless.runs.workers.results import RemoteResults

    folder: Path = options.jobs.absolute().parent
    results = None if options.results is None else RemoteResults(options.results, folder)
    for job in jobs:
        _place(job, "auto")
        if results is not None and job.request is not None:
            with refusing(job, as_option):
                results.name_of(job)
    ray = None if options.dry_run else connect(options.ray)
    return Way(RunPlanner, lambda: RayWorkers(ray, as_option, results, options.ray_workers))


def _on_servers(options: argparse.Namespace) -> Way:
    from reelpatch.headless.runs.workers.comfyui.client import check_url, read_headers
    from reelpatch.headless.runs.workers.comfyui.planning import ServerPlanner
    from reelpatch.headless.runs.workers.comfyui.servers import ComfyServers, check_servers

    urls = [check_url(url) for url in options.comfyui]
    if len(set(urls)) < len(urls):
        raise BadInput("a server is named twice: name each once.", setting="comfyui")
    headers = {} if options.headers is None else read_headers(options.headers)
    if not options.dry_run:
        check_servers(urls, headers)
    return Way(ServerPlanner, lambda: ComfyServers(urls, headers, as_option))


def _place(job: "Job", kind: str) -> None:
    if job.request is None:
        return
    if job.request.device != "auto":
        job.refuse(
            f"it names the device {job.request.device}, but {as_option('devices')} says which there are: leave its device out."
        )
        return
    job.request = replace(job.request, device=kind)


class WorkerBars:
    """A bar for all jobs, and one for each worker below it, on stderr; none where that is not a terminal."""

    def __init__(self, names: Sequence[str]) -> None:
        self._width = max(map(len, names))
        self._all = self._bar(0)
        self._workers = {name: self._bar(place) for place, name in enumerate(names, 1)}

    def jobs(self, done: int, total: int, left: str) -> None:
        """As the view of `dispatch_jobs`."""
        redraw(self._all, f"jobs{f', {left} left' if left else ''}", done, total)

    def worker(self, name: str, stage: str, done: int, total: int) -> None:
        """As the view of `dispatch_jobs`."""
        redraw(self._workers[name], f"{name:{self._width}} {stage}", done, total)

    def close(self) -> None:
        """Leaves the bar of all jobs standing."""
        for bar in (*self._workers.values(), self._all):
            bar.close()

    @staticmethod
    def _bar(place: int) -> "tqdm[NoReturn]":
        from tqdm import tqdm

        return tqdm(total=0, position=place, leave=place == 0, file=sys.stderr, disable=None)


@contextmanager
def worker_bars(names: Sequence[str]) -> Generator[WorkerBars]:
    """The view of several workers, closed at the end."""
    bars = WorkerBars(names)
    try:
        yield bars
    finally:
        bars.close()


def _actors(text: str) -> int:
    number = whole(text)
    if not 1 <= number <= _MOST_ACTORS:
        raise argparse.ArgumentTypeError(f"{number} is not from 1 to {_MOST_ACTORS}")
    return number


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name in it; write names with commas between")
    if len(names) > _MOST_NAMES:
        raise argparse.ArgumentTypeError(f"{len(names)} names are more than {_MOST_NAMES}")
    return names
