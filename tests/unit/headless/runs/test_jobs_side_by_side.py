"""While a job of a batch is denoised, the next one's clip is read and the last one's result is written; results stay the same."""

import gc
import threading
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.enhancer import Enhancer
from reelpatch.headless.runs import edit, enhance
from reelpatch.headless.runs.batch import run
from reelpatch.headless.runs.batch import turns as turns_module
from reelpatch.headless.runs.batch.run import AT_ONCE, at_once
from reelpatch.headless.runs.batch.turns import Turn, Turns
from reelpatch.windows import window_run
from tests.unit.headless.runs.batch_jobs import Fields, alone, batch, frames, report, states, write_batch

GIVE_UP_S = 60  # only a run that would wait for ever takes so long


def several_jobs() -> list[Fields]:
    """Edits and enhancements with settings of their own, one of them in windows."""
    asked: list[Fields] = [
        {"instruction": "make it blue", "steps": 2, "strength": 0.5, "guidance": 2},
        {"instruction": "make it sepia", "window-frames": 5, "overlap": 1, "steps": 1},
        {"instruction": "make it blue", "mask": "mask.png", "feather": 2, "steps": 1},
    ]
    jobs: list[Fields] = [
        {"verb": "edit", "clip": "ab"[n % 2] + ".mp4", **one} for n, one in enumerate(asked)
    ]
    jobs += [{"verb": "enhance", "clip": "a.mp4"}, {"verb": "enhance", "clip": "b.mp4", "seed": 9}]
    return [job | {"output": f"{number}.mkv"} for number, job in enumerate(jobs)]


@pytest.fixture(autouse=True)
def _room_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many cores there are."""
    monkeypatch.setattr(run, "at_once", lambda *_: AT_ONCE)


class Watched:
    """What each job of a batch does, by its number, told by stand-ins that do the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: dict[str, set[threading.Thread]] = {"read": set(), "render": set(), "write": set()}
        self.most_at_once = 0
        self._done: set[tuple[str, int]] = set()
        self._changed = threading.Condition()
        for module in (edit, enhance):
            monkeypatch.setattr(module, "cut_clip", self._reading(module.cut_clip))
        monkeypatch.setattr(window_run, "write_video", self._writing(window_run.write_video))
        for kind, name in ((Editor, "render"), (Enhancer, "denoised")):
            monkeypatch.setattr(kind, name, self._rendering(getattr(kind, name)))
        self.before_render: Callable[[int], None] = lambda _number: None

    def tell(self, what: str, number: int) -> None:
        with self._changed:
            self.threads[what].add(threading.current_thread())
            self._done.add((what, number))
            read, written = (sum(name == told for name, _ in self._done) for told in ("read", "write"))
            self.most_at_once = max(self.most_at_once, read - written)
            self._changed.notify_all()

    def wait_for(self, what: str, number: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: (what, number) in self._done, GIVE_UP_S)

    def _reading(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def read(request: Any, *args: Any) -> Any:
            clip = real(request, *args)
            self.tell("read", int(request.target.stem))
            return clip

        return read

    def _writing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def write(video: Any, target: Path, **options: Any) -> None:
            real(video, target, **options)
            self.tell("write", int(target.stem))

        return write

    def _rendering(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def render(*args: Any, **options: Any) -> Any:
            number = self._next_number()
            self.before_render(number)
            self.tell("render", number)
            return real(*args, **options)

        return render

    def _next_number(self) -> int:
        return sum(what == "render" for what, _ in self._done)


def test_the_next_clip_is_read_and_the_last_result_written_while_one_is_denoised(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [job | {"output": f"{number}.mkv"} for number, job in enumerate([several_jobs()[0]] * 4)]
    jobs = [job | {"seed": number} for number, job in enumerate(jobs)]
    path = write_batch(tmp_path, jobs, models_folder)
    watched = Watched(monkeypatch)
    found: list[bool] = []

    def wait_for_others(number: int) -> None:
        """No job is denoised before the one behind it is read and the one in front of it is written."""
        if number + 1 < len(jobs):
            found.append(watched.wait_for("read", number + 1))
        if number:
            found.append(watched.wait_for("write", number - 1))

    watched.before_render = wait_for_others
    assert batch(path) == DONE
    assert found == [True] * 6
    assert watched.threads["render"] == {threading.main_thread()}  # models are touched by one thread
    assert threading.main_thread() not in watched.threads["read"] | watched.threads["write"]
    assert watched.most_at_once == AT_ONCE
    assert [job["state"] for job in report(path)["jobs"]] == ["done"] * 4


def test_jobs_side_by_side_are_what_they_are_alone(models_folder: Path, tmp_path: Path) -> None:
    jobs = several_jobs()
    path = write_batch(tmp_path, jobs, models_folder)
    assert batch(path) == DONE
    (tmp_path / "alone").mkdir()
    for job in jobs:
        output = tmp_path / "alone" / job["output"]
        assert main(alone(job, tmp_path, models_folder, output)) == DONE
        assert np.array_equal(frames(output), frames(tmp_path / job["output"])), job


def test_what_goes_wrong_at_reading_denoising_or_writing_stops_no_other(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [several_jobs()[0] | {"output": f"{number}.mkv", "seed": number} for number in range(5)]
    path = write_batch(tmp_path, jobs, models_folder)

    def failing(real: Callable[..., Any], is_meant: Callable[..., bool]) -> Callable[..., Any]:
        def fail(*args: Any, **options: Any) -> Any:
            if is_meant(*args, **options):
                raise OSError(28, "No space left on device")
            return real(*args, **options)

        return fail

    with monkeypatch.context() as patched:
        for where, name, is_meant in (
            (edit, "cut_clip", lambda request, *_: request.seed == 1),
            (Editor, "render", lambda *_, seed, **_options: seed == 2),
            (window_run, "write_video", lambda _video, target, **_: target.stem == "3"),
        ):
            patched.setattr(where, name, failing(getattr(where, name), is_meant))
        assert batch(path) == BAD_INPUT
    assert states(path) == ["done", "not done", "not done", "not done", "done"]
    assert batch(path) == DONE
    assert states(path) == ["done before", "done", "done", "done", "done before"]


def test_a_processor_whose_cores_are_all_taken_makes_one_job_at_a_time() -> None:
    assert at_once(torch.device("cpu"), num_threads=2, num_cores=2) == 1
    assert at_once(torch.device("cpu"), num_threads=1, num_cores=2) == AT_ONCE
    assert at_once(torch.device("cuda"), num_threads=2, num_cores=2) == AT_ONCE


@pytest.fixture
def turns() -> Turns:
    return Turns()


def test_turns_come_in_the_order_of_jobs_and_run_in_the_thread_that_serves(turns: Turns) -> None:
    seen: list[tuple[int, bool]] = []
    last_asks = threading.Event()

    def job(number: int) -> None:
        turn = Turn(turns, number)
        if number == 0:
            last_asks.wait(GIVE_UP_S)  # the others ask before it does
        if number == 2:
            last_asks.set()
        if number != 1:  # which needs no models
            assert (
                turn.run(lambda: seen.append((number, threading.current_thread() is threading.main_thread())))
                is None
            )
        turn.end()
        turn.end()  # twice is once

    with ThreadPoolExecutor(4) as threads:
        turns.serve([threads.submit(job, number) for number in range(4)])
    assert seen == [(0, True), (2, True), (3, True)]


def test_what_is_raised_goes_to_the_job_and_ctrl_c_to_all(turns: Turns) -> None:
    heard: list[type[BaseException]] = []

    def job(number: int, error: type[BaseException]) -> None:
        def work() -> None:
            raise error

        turn = Turn(turns, number)
        try:
            turn.run(work)
        except BaseException as told:
            heard.append(type(told))
            if not isinstance(told, Exception):
                raise
        finally:
            turn.end()

    with ThreadPoolExecutor(3) as threads:
        jobs = [
            threads.submit(job, number, error)
            for number, error in enumerate((ValueError, KeyboardInterrupt, ValueError))
        ]
        with pytest.raises(KeyboardInterrupt):
            turns.serve(jobs)
        turns.stop()
    assert heard == [ValueError, KeyboardInterrupt, KeyboardInterrupt]


@pytest.fixture
def _without_collector() -> Generator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_without_collector")
def test_what_failing_work_held_is_gone_when_its_job_is_over(turns: Turns) -> None:
    """It may be on a card, of which the next job needs the memory."""
    held: list[weakref.ref[torch.Tensor]] = []

    def work() -> None:
        latents = torch.zeros(1)
        held.append(weakref.ref(latents))
        raise ValueError(latents.shape)

    def job() -> None:
        turn = Turn(turns, 0)
        with pytest.raises(ValueError, match="Size"):
            turn.run(work)
        turn.end()

    with ThreadPoolExecutor(1) as threads:
        turns.serve([threads.submit(job)])
    assert held[0]() is None


def test_ctrl_c_between_taking_work_and_doing_it_ends_the_job_too(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[type[BaseException]] = []

    def job() -> None:
        try:
            Turn(turns, 0).run(lambda: None)
        except KeyboardInterrupt as told:
            heard.append(type(told))

    def interrupted(_told: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(turns_module, "_has_ended", interrupted)
    thread = threading.Thread(target=job, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        turns.serve([Future()])
    turns.stop()
    thread.join(GIVE_UP_S)
    assert heard == [KeyboardInterrupt]
