"""Missing files come from a hub, here one of our own on this machine, spoken to by Hugging Face's real client."""

import hashlib
import logging
import threading
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from reelpatch.errors import BadInput
from reelpatch.headless.models import download as download_module
from reelpatch.headless.models.download import download, hub_url
from reelpatch.recipes import recipe

LORA = recipe("ditto-global").files_for("lora")[0]


@dataclass
class Hub:
    """As much of the hub's protocol as a download needs: HEAD with commit, ETag and size; GET with ranges."""

    content: bytes
    etag: str = ""
    breaks_after: int | None = None  # bytes of an answer, then the line goes dead
    is_gone_after: int | None = None  # bytes in all, then there is no line any more
    is_missing: bool = False
    claimed_bytes: int = 0
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    address: str = ""

    def __post_init__(self) -> None:
        self.etag = self.etag or hashlib.sha256(self.content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def _start(self, *, is_get: bool) -> int:
        self.hub.requests.append((self.command, self.path, self.headers.get("Range", "")))
        gone = self.hub.is_gone_after
        begin = (
            int(self.headers["Range"].removeprefix("bytes=").split("-")[0]) if "Range" in self.headers else 0
        )
        if self.hub.is_missing or (gone and begin >= gone):
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return -1
        self.send_response(206 if begin and is_get else 200)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", f'"{self.hub.etag}"')
        self.send_header("Content-Length", str((self.hub.claimed_bytes or len(self.hub.content)) - begin))
        if begin:
            self.send_header(
                "Content-Range", f"bytes {begin}-{len(self.hub.content) - 1}/{len(self.hub.content)}"
            )
        self.end_headers()
        return begin

    def do_HEAD(self) -> None:
        self._start(is_get=False)

    def do_GET(self) -> None:
        begin = self._start(is_get=True)
        if begin < 0:
            return
        rest = self.hub.content[begin:]
        limit = self.hub.breaks_after or self.hub.is_gone_after
        if limit is not None and limit < len(rest):
            self.wfile.write(rest[:limit])
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True
        else:
            self.wfile.write(rest)


@pytest.fixture
def hub() -> Generator[Hub]:
    served = Hub(bytes(range(256)) * 4000)
    handler = type("Handler", (_Handler,), {"hub": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    served.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def endpoint(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hugging Face's client talks to the hub of this test."""
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # The client keeps whole chunks of a broken answer, of 10 MB by default.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)


def fetch(folder: Path) -> Path:
    (target,) = download([LORA], folder, allows_http=True)
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_a_download_says_its_size_first_and_is_whole(
    hub: Hub, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        target = fetch(folder)
    assert target == folder / "loras" / LORA.names[0]
    assert target.read_bytes() == hub.content
    assert list(target.parent.iterdir()) == [target]
    told = f"{LORA.names[0]} (0.00102 GB): 0.00102 GB to fetch into {folder}, where"
    assert told in caplog.text
    assert [kind for kind, _, _ in hub.requests] == ["HEAD", "GET"]
    assert hub.requests[0][1].endswith(f"/Kijai/WanVideo_comfy/resolve/main/{LORA.names[0]}")


def test_a_broken_line_is_taken_up_again(hub: Hub, folder: Path) -> None:
    hub.breaks_after = 600_000
    assert fetch(folder).read_bytes() == hub.content
    assert [span for kind, _, span in hub.requests if kind == "GET"] == ["", "bytes=600000-"]


def test_a_later_run_goes_on_where_one_stopped(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **_options: object) -> None:
        raise KeyboardInterrupt

    partial = folder / "loras" / f"{LORA.names[0]}.part"
    hub.is_gone_after = 400_000
    with pytest.raises(BadInput, match="run the same command again, and it goes on where it stopped"):
        fetch(folder)
    assert not partial.with_suffix("").exists()
    assert partial.read_bytes() == hub.content[:400_000]
    with monkeypatch.context() as patched:
        patched.setattr(download_module, "http_get", stopped)
        with pytest.raises(KeyboardInterrupt, match="what was fetched is kept in"):
            fetch(folder)

    hub.is_gone_after = None
    hub.requests.clear()
    assert fetch(folder).read_bytes() == hub.content
    assert [span for kind, _, span in hub.requests if kind == "GET"] == ["bytes=400000-"]
    assert not partial.exists()


def test_damage_is_seen_and_leaves_nothing(hub: Hub, folder: Path) -> None:
    hub.etag = "f" * 64
    with pytest.raises(BadInput, match="arrived damaged"):
        fetch(folder)
    assert list((folder / "loras").iterdir()) == []


def test_a_file_that_is_gone_is_one_sentence(hub: Hub, folder: Path) -> None:
    hub.is_missing = True
    with pytest.raises(BadInput, match=r"can't be fetched \(HTTP 404\)") as error:
        fetch(folder)
    assert "\n" not in str(error.value)
    assert not folder.exists()


def test_no_hub_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BadInput, match="can't be reached") as error:
        fetch(folder)
    assert "\n" not in str(error.value)


def test_too_little_room_is_said_before_anything_is_fetched(hub: Hub, folder: Path) -> None:
    hub.claimed_bytes = 10**15
    with pytest.raises(BadInput, match=r"1e\+06 GB to fetch .* make room"):
        fetch(folder)
    assert [kind for kind, _, _ in hub.requests] == ["HEAD"]
    assert list(folder.iterdir()) == []


def test_what_is_not_on_the_hub_is_refused() -> None:
    with pytest.raises(BadInput, match="is no file on Hugging Face"):
        hub_url("https://example.org/weights.safetensors")


def test_https_alone_unless_told_otherwise(hub: Hub, folder: Path) -> None:
    with pytest.raises(BadInput, match=r"is not fetched over https.*--allow-http"):
        download([LORA], folder)
    assert hub.requests == []
    assert not folder.exists()


def test_a_recorded_revision_is_fetched_and_a_recorded_checksum_asked(hub: Hub, folder: Path) -> None:
    pinned = replace(LORA, revision="a" * 40, sha256=hashlib.sha256(hub.content).hexdigest())
    hub.etag = "f" * 64  # the hub's word does not count where the recipe has one
    download([pinned], folder, allows_http=True)
    assert all(f"/resolve/{'a' * 40}/" in path for _, path, _ in hub.requests)
    other = replace(pinned, sha256="0" * 64)
    (folder / "loras" / LORA.names[0]).unlink()
    with pytest.raises(BadInput, match="its checksum is not the recipe's"):
        download([other], folder, allows_http=True)
    assert list((folder / "loras").iterdir()) == []
