"""What runs on a node of Ray: an actor that makes jobs one after the other, with the models of a recipe loaded."""

import os
import threading
from collections import deque
from typing import Any

import reelpatch
from reelpatch.headless.models.lasting_imports import lasting_imports
from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.workers.results import RemoteResults
from reelpatch.headless.runs.workers.workers import Logged, Outcome, Told

_MOST_TOLD = 1000


class RayActor:
    """Two calls at a time: `make`, and `told` or `stop` beside it."""

    def __init__(self, worker: str, device: str, spelled: Spelled, results: RemoteResults | None) -> None:
        with lasting_imports():  # on its node alone
            from reelpatch.headless.runs.workers.job_server import JobServer

        self._told: deque[Told | Logged] = deque(maxlen=_MOST_TOLD)
        self._stopping = threading.Event()
        self._server = JobServer(worker, device, spelled, self._tell, results)
        self._server.send_log()

    def hello(self) -> tuple[str, int]:
        """The version of its Reelpatch, and the number of its process on its node."""
        return reelpatch.__version__, os.getpid()

    def make(self, job: Job) -> Outcome:
        """As `JobServer`."""
        return self._server.make(job)

    def told(self) -> list[Any]:
        """What has happened since the last call; of a lot the newest."""
        found: list[Any] = []
        while self._told:
            found.append(self._told.popleft())
        return found

    def stop(self) -> None:
        """Stops the job at its next step."""
        self._stopping.set()

    def _tell(self, event: Told | Logged) -> None:
        self._told.append(event)
        if self._stopping.is_set() and isinstance(event, Told):
            self._stopping.clear()
            raise KeyboardInterrupt
