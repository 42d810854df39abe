"""A language model's server on this machine, as far as OpenAI's chat protocol goes, and a cache of the test's own."""

import json
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Server:
    """What it answers, and what it was asked."""

    answer: str = "make the circle green"
    status: int = 200
    raw: bytes | None = None  # in place of what the protocol says
    message: dict[str, Any] = field(default_factory=dict[str, Any])  # beside the content
    finish_reason: str = "stop"
    models: tuple[str, ...] = ("tiny",)
    waits_s: float = 0
    drips: bool = False
    sends_to: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str | None] = field(default_factory=list[str | None])
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    server_state: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._send(json.dumps({"data": [{"id": name} for name in self.server_state.models]}).encode())

    def do_POST(self) -> None:
        state = self.server_state
        state.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        state.keys.append(self.headers.get("Authorization"))
        time.sleep(state.waits_s)
        if state.sends_to:
            self.send_response(302)
            self.send_header("Location", state.sends_to)
            self.end_headers()
            return
        message = {"role": "assistant", "content": state.answer, **state.message}
        choice = {"message": message, "finish_reason": state.finish_reason}
        self._send(state.raw if state.raw is not None else json.dumps({"choices": [choice]}).encode())

    def _send(self, content: bytes) -> None:
        self.send_response(self.server_state.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        with suppress(ConnectionError):  # who asked may not wait for all of it
            if not self.server_state.drips:
                self.wfile.write(content)
                return
            for byte in content:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.05)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Server]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("REELPATCH_REWRITE_KEY", raising=False)
    state = Server()
    handler = type("Handler", (_Handler,), {"server_state": state})
    served = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    served.daemon_threads = True
    state.url = f"http://127.0.0.1:{served.server_port}/v1"
    threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
    yield state
    served.shutdown()
    served.server_close()
