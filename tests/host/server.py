"""A real ComfyUI server of our own: a free port, a folder of its own, this repository as its only custom node.

`$COMFYUI_FRONT_END` names another front end than the one that the checkout came with: the folder `static` of a
`comfyui_frontend_package`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeAlias

from tests.host import comfy

ROOT = Path(__file__).parents[2]
START_S, RUN_S = 600, 900  # long, for machines that are busy with other things
POLL_S = 0.1
PORTS = 3  # that are tried
Process: TypeAlias = "subprocess.Popen[bytes]"


@dataclass(frozen=True)
class Server:
    """A running server, the folder it works in, and its process."""

    url: str
    base: Path
    pid: int

    def ask(self, path: str, body: Any = None) -> Any:
        """The JSON answer to a request, errors included."""
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def run(self, prompt: dict[str, Any]) -> dict[str, Any]:
        """What history says of a prompt that was queued and has ended."""
        answer = self.ask("/prompt", {"prompt": prompt})
        assert answer.get("node_errors") == {}, answer
        assert "prompt_id" in answer, answer
        return self.ended(answer["prompt_id"])

    def post(self, path: str) -> None:
        """Tells the server to do something that it has no answer to."""
        urllib.request.urlopen(urllib.request.Request(self.url + path, b"{}"), timeout=120).close()

    def ended(self, prompt_id: str) -> dict[str, Any]:
        """What history says of a queued prompt once it has ended."""
        until = time.monotonic() + RUN_S
        while time.monotonic() < until:
            if history := self.ask(f"/history/{prompt_id}"):
                return history[prompt_id]
            time.sleep(POLL_S)
        raise TimeoutError("the prompt did not end")


@contextmanager
def running(base: Path, models: Path) -> Iterator[Server]:
    """A server with the model files of a folder in ComfyUI's layout; ended on the way out."""
    checkout, python = comfy.checkout(), comfy.python()
    (base / "custom_nodes").mkdir()
    (base / "input").mkdir()
    (base / "custom_nodes" / "reelpatch").symlink_to(ROOT)
    (base / "models").symlink_to(models)
    options: tuple[str, ...] = (
        "--cpu",
        "--disable-auto-launch",
        "--disable-api-nodes",
        "--database-url",
        "sqlite:///:memory:",
    )
    front_end = os.environ.get("COMFYUI_FRONT_END")
    options += ("--front-end-root", front_end) if front_end else ()
    command = [python, "main.py", *options, "--base-directory", str(base)]
    until = time.monotonic() + START_S
    for _ in range(PORTS):
        with _started(command, checkout, base) as (server, process):
            if _is_ready(server, process, until):
                yield server
                return
    raise RuntimeError((base / "log").read_text()[-3000:])


@contextmanager
def _started(command: list[str], checkout: Path, base: Path) -> Iterator[tuple[Server, Process]]:
    """A server on a port that is free now; another process may take it before the server does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (base / "log").open("w") as log:
        environment = {**os.environ, "PYTHONPATH": ""}
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=checkout, stdout=log, stderr=log, env=environment
        )
        try:
            yield Server(f"http://127.0.0.1:{port}", base, process.pid), process
        finally:
            process.terminate()
            process.wait(60)


def _is_ready(server: Server, process: Process, until: float) -> bool:
    """Waits until the server answers, and not another one on its port; false where it has ended or took too long."""
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, HTTPException, ValueError, LookupError):  # whoever has the port
            if str(server.base) in server.ask("/system_stats")["system"]["argv"]:
                return True
        time.sleep(POLL_S)
    return False
