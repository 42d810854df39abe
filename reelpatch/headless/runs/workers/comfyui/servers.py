"""Workers that are ComfyUI servers: each is given one job at a time, and none while others use it, as long as one is free."""

import logging
import queue
import threading
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import reelpatch
from reelpatch.errors import BadInput
from reelpatch.headless.runs.batch.job import Job, State
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.workers.comfyui.client import Client, ServerGone
from reelpatch.headless.runs.workers.comfyui.filling import FilledWorkflow
from reelpatch.headless.runs.workers.comfyui.follow import run_prompt
from reelpatch.headless.runs.workers.comfyui.shipped import result_node
from reelpatch.headless.runs.workers.workers import Ended, Event, Joined, Lost, Outcome, Told
from reelpatch.media.disk_faults import disk_fault
from reelpatch.windows.file_stamp import stamp

_WAIT_S, _LOOK_S = 0.5, 1.0
PATIENCE_S = 120.0
"""For how long a server that does not answer is waited for."""
_STOP_S = 10.0
_MEMORY = ("OutOfMemory", "MemoryError")
_SHOWN = 600
_log = logging.getLogger(__name__)


def check_servers(urls: Sequence[str], headers: Mapping[str, str]) -> None:
    """Says of each server what is wrong with it. Raises: `BadInput` where none of them takes jobs."""
    wrong: list[str] = []
    for url in urls:
        try:
            version = Client(url, headers).version()
            if version != reelpatch.__version__:
                wrong.append(
                    f"{url} has Reelpatch {version}, but this is {reelpatch.__version__}: install one version on all"
                )
        except (ServerGone, BadInput) as error:
            wrong.append(str(error).rstrip("."))
    if len(wrong) == len(urls):
        raise BadInput(f"no server takes jobs: {'; '.join(wrong)}.", setting="comfyui")
    for one in wrong:
        _log.warning("%s.", one)


class ComfyServers:
    """One thread for each server, which talks to it; all that is told goes through one queue."""

    def __init__(self, urls: Sequence[str], headers: Mapping[str, str], spelled: Spelled) -> None:
        self._told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._servers = {url: _Server(Client(url, headers), self._told.put, spelled) for url in urls}
        for server in self._servers.values():
            server.start()

    share_files = False

    @property
    def names(self) -> Sequence[str]:
        """Their addresses."""
        return list(self._servers)

    @staticmethod
    def group_of(job: Job) -> Hashable:
        """Workflows of one recipe and with the same files of weights load nothing anew."""
        request: FilledWorkflow = job.request
        loaders = [
            node["inputs"]
            for node in request.prompt.values()
            if str(node["class_type"]).startswith("ReelpatchLoad")
        ]
        return request.recipe, repr(loaders)

    def begin(self, worker: str, job: Job) -> None:
        """Hands the job to the server's thread."""
        self._servers[worker].jobs.put(job)

    def events(self) -> Iterator[Event]:
        """As they come."""
        try:
            yield self._told.get(timeout=_WAIT_S)
            while True:
                yield self._told.get_nowait()
        except queue.Empty:
            return

    def is_free(self, worker: str) -> bool:
        """Not while others use it, unless others use all that answer; one that was not heard of yet may be free."""
        if self._servers[worker].others == 0:
            return True
        servers = self._servers.values()
        return all(server.is_known and (server.others > 0 or not server.is_here) for server in servers)

    def stop(self) -> Iterator[Event]:
        """Cancels what runs."""
        for server in self._servers.values():
            server.stopping.set()
        until = time.monotonic() + _STOP_S
        is_last = False
        while not is_last:  # what was told before a server had nothing more to do is still to be heard
            is_last = not any(one.is_busy for one in self._servers.values()) or time.monotonic() >= until
            yield from (event for event in self.events() if isinstance(event, Ended | Lost))

    def close(self) -> None:
        """Ends the threads, without waiting for servers that do not answer."""
        for server in self._servers.values():
            server.stopping.set()
            server.jobs.put(None)


class _Server(threading.Thread):
    def __init__(self, client: Client, tell: Any, spelled: Spelled) -> None:
        super().__init__(name=client.url, daemon=True)
        self._client, self._tell, self._spelled = client, tell, spelled
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.stopping = threading.Event()
        self.is_here = self.is_busy = self.is_known = False  # known: it has answered, or could not be reached
        self.others = 0

    def run(self) -> None:
        """Until there are no more jobs, or the server stays away."""
        away_since, reason = time.monotonic(), ""
        while not self.stopping.is_set():
            try:
                self._serve()
                return
            except ServerGone as error:
                self.is_known = True
                if self.is_here:
                    away_since = time.monotonic()
                    self.is_here = False
                    self._tell(Lost(self._client.url, f"{error}.", comes_back=True))
                reason = f"{error}."
            except BadInput as error:  # it has no Reelpatch
                self.is_known = True
                self._tell(Lost(self._client.url, str(error)))
                return
            self.is_busy = False
            if time.monotonic() - away_since > PATIENCE_S:
                self._tell(Lost(self._client.url, reason))
                return
            self.stopping.wait(_LOOK_S)

    def _serve(self) -> None:
        version = self._client.version()
        self._client.start_anew()
        self.others = self._client.others_waiting()
        self.is_here = self.is_known = True
        self._tell(Joined(self._client.url, version))
        while True:
            try:
                job = self.jobs.get(timeout=_LOOK_S)
            except queue.Empty:
                self.others = self._client.others_waiting()
                continue
            if job is None:
                return
            self.is_busy = True
            outcome = self._outcome(job)
            try:
                self.others = self._client.others_waiting()
            finally:  # what is made stays made where the server goes away now
                self._tell(Ended(self._client.url, outcome))
                self.is_busy = False

    def _outcome(self, job: Job) -> Outcome:
        began = time.monotonic()
        try:
            outcome = self._make(job.request, job.identity)
        except ServerGone:
            raise
        except BadInput as error:
            return Outcome(State.WRONG, error.naming(self._spelled), may_do_elsewhere="refuses" in str(error))
        except Exception as error:
            if (said := disk_fault(error)) is None:
                _log.exception("This is a defect of Reelpatch; please report it with the lines below.")
            return Outcome(State.WRONG, said or f"unexpected {type(error).__name__}: {error}")
        seconds = round(time.monotonic() - began, 3) if outcome.state is State.DONE else None
        return replace(outcome, seconds=seconds)

    def _make(self, request: FilledWorkflow, identity: str) -> Outcome:
        prompt = {number: {**node, "inputs": dict(node["inputs"])} for number, node in request.prompt.items()}
        for node, name, path in request.files:
            prompt[node]["inputs"][name] = self._client.upload(path)
        history = run_prompt(self._client, prompt, self._on_progress, self.stopping.is_set)
        if history is None:
            return Outcome(State.STOPPED, "stopped; the next run begins it anew.")
        if said := _failure(history):
            return Outcome(State.WRONG, said[0], may_do_elsewhere=said[1])
        self._client.fetch(_result(history, prompt), request.target)
        return Outcome(State.DONE, "", identity, [stamp(request.target)])

    def _on_progress(self, stage: str, done: int, total: int) -> None:
        self._tell(Told(self._client.url, stage, done, total))


def _failure(history: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Why it failed and whether another server may have what this one lacked, None where it did not."""
    status = history.get("status") or {}
    if status.get("status_str") == "success":
        return None
    for kind, told in status.get("messages", ()):
        if kind == "execution_error":
            words = " ".join(str(told.get("exception_message", "")).split())[:_SHOWN]
            is_memory = any(one in str(told.get("exception_type")) for one in _MEMORY)
            return f"ComfyUI says: {words}", is_memory or "No space left" in words
        if kind == "execution_interrupted":
            return "somebody interrupted it on the server: give the same command once more.", False
    return "ComfyUI ended it and does not say why: see its log.", False


def _result(history: Mapping[str, Any], prompt: Mapping[str, Any]) -> Mapping[str, str]:
    """The file of the node Result. Raises: `BadInput` where it has written none."""
    written = history.get("outputs", {}).get(result_node(dict(prompt)), {})
    for files in written.values():
        for file in files if isinstance(files, list) else ():
            if isinstance(file, dict) and file.get("filename") and file.get("type") == "output":
                return file
    raise BadInput("the workflow has ended, but its node Result has written no file: see the server's log.")
