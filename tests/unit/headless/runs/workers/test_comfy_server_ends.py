"""What a ComfyUI server has made counts, whatever happens to it or to the batch right after."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import reelpatch
from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.workers.comfyui import servers
from reelpatch.headless.runs.workers.comfyui.client import ServerGone
from reelpatch.headless.runs.workers.comfyui.servers import ComfyServers
from reelpatch.headless.runs.workers.workers import Ended, Event, Joined, Lost, Outcome

URL = "http://one:8188"
GIVE_UP = 100  # looks at what was told, half a second each


class Client:
    """A server that has made a job, and is then asked who else waits."""

    def __init__(self, url: str, _headers: object) -> None:
        self.url = url
        self.num_asked = 0
        self.after_job: Callable[[], int] = lambda: 0

    def version(self) -> str:
        return reelpatch.__version__

    def start_anew(self) -> None:
        pass

    def others_waiting(self) -> int:
        self.num_asked += 1
        return 0 if self.num_asked == 1 else self.after_job()


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ComfyServers]:
    monkeypatch.setattr(servers, "Client", Client)
    monkeypatch.setattr(servers, "_LOOK_S", 60.0)  # for a job
    monkeypatch.setattr(servers._Server, "_make", lambda *_: Outcome(State.DONE))
    made = ComfyServers([URL], {}, str)
    yield made
    made.close()


def told(workers: ComfyServers, kind: type[Event]) -> Any:
    """The next event of a kind, and no other before it."""
    for _ in range(GIVE_UP):
        for event in workers.events():
            assert isinstance(event, kind), event
            return event
    pytest.fail(f"no {kind.__name__} was told")


def begun(workers: ComfyServers, after_job: Callable[[], int]) -> None:
    """Hands out a job, after which the server does that."""
    told(workers, Joined)
    workers._servers[URL]._client.after_job = after_job  # pyright: ignore[reportAttributeAccessIssue]
    workers.begin(URL, Job(1, "workflow", request=None))


def test_a_job_is_done_whose_server_is_lost_when_it_was_made(workers: ComfyServers) -> None:
    def gone() -> int:
        raise ServerGone("it was switched off")

    begun(workers, gone)
    ended = told(workers, Ended)
    assert ended.outcome.state is State.DONE
    told(workers, Lost)


def test_a_job_is_done_that_was_made_when_all_is_stopped(workers: ComfyServers) -> None:
    is_asked = threading.Event()

    def until_stopped() -> int:
        is_asked.set()
        workers._servers[URL].stopping.wait()
        return 0

    begun(workers, until_stopped)
    assert is_asked.wait(60)
    assert [event.outcome.state for event in workers.stop() if isinstance(event, Ended)] == [State.DONE]
