"""The process of a local worker: it takes jobs from a pipe until that is closed, and ends with its parent."""

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

import torch

import reelpatch
from reelpatch.headless.models.lasting_imports import lasting_imports
from reelpatch.headless.runs.batch.job import State
from reelpatch.headless.runs.batch.planning import Spelled
from reelpatch.headless.runs.workers.workers import Ended, Event, Joined


def serve(pipe: Connection, worker: str, device: str, num_threads: int | None, spelled: Spelled) -> None:
    """Makes jobs that come as `Job` through `pipe`, and tells what happens through it as events."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who says when to stop
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with lasting_imports():  # not in the parent, which runs no models
        from reelpatch.headless.runs.workers.job_server import JobServer

    if num_threads is not None:
        torch.set_num_threads(num_threads)
    sending = threading.Lock()

    def tell(event: Event) -> None:
        with sending:
            pipe.send(event)
        if stopping.is_set():
            stopping.clear()  # what was finished is put away undisturbed
            raise KeyboardInterrupt

    server = JobServer(worker, device, spelled, tell)
    server.send_log()
    try:
        tell(Joined(worker, reelpatch.__version__))
        while not stopping.is_set():
            outcome = server.make(pipe.recv())
            tell(Ended(worker, outcome))
            if outcome.state is State.STOPPED:
                return
    except (EOFError, BrokenPipeError, KeyboardInterrupt):  # the parent has no more jobs
        return


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
