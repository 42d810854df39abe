"""One ComfyUI server over its HTTP API: what is asked of it, in terms of a job. https://docs.comfy.org/development/comfyui-server"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from reelpatch.errors import BadInput
from reelpatch.media.checksums import digest_of
from reelpatch.media.saving import saved_at

_CONNECT_S, _ANSWER_S = 10.0, 120.0
_CHUNK_BYTES = 2**20
_SHOWN = 300
_UPLOADS = "reelpatch_batch"
"""The folder in ComfyUI's input folder that files are uploaded to, under names made of their content."""
_MOST_HEADERS, _MOST_HEADER_BYTES = 64, 2**16


class ServerGone(Exception):
    """A server does not answer, or not as a ComfyUI server does now; it says why in words."""


def read_headers(path: Path) -> dict[str, str]:
    """HTTP headers from a file, one on each line, `Authorization: Bearer ...`. What they hold is never shown.

    Raises: `BadInput` for a file that cannot be read or holds something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_HEADER_BYTES + 1)
        lines = text.decode("latin-1").splitlines()
    except OSError as error:
        raise BadInput(
            f"the file of headers {path} cannot be read ({error.strerror}): check the path.",
            setting="headers",
        ) from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        is_name = name.strip().replace("-", "").replace("_", "").isalnum() and name.isascii()
        if not colon or not is_name or len(text) > _MOST_HEADER_BYTES or len(found) >= _MOST_HEADERS:
            raise BadInput(
                f"line {number} of the file of headers {path} is no header: write one on each line, as in `Authorization: Bearer "
                "...`.",
                setting="headers",
            )
        found[name.strip()] = value.strip()
    return found


def check_url(url: str) -> str:
    """The address without a slash at its end. Raises: `BadInput` for one that is none."""
    parts = urlsplit(url)
    try:
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment:
        raise BadInput(
            f"{url[:80]!r} is no address of a ComfyUI server: write it as http://host:8188.",
            setting="comfyui",
        )
    if parts.username or parts.password:
        raise BadInput(
            f"the address of {parts.hostname} has a name or password in it, which would stand in logs and reports: put a header "
            "into a file for --headers.",
            setting="comfyui",
        )
    return url.rstrip("/")


class Client:
    """What a job needs of a server. All raise `ServerGone` where it does not answer, and `BadInput` for what it refuses."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url, self.headers = url, dict(headers)
        self._session = requests.Session()
        self._session.headers.update(headers)
        self._uploaded: dict[str, str] = {}
        self._unfinished: set[str] = set()

    def version(self) -> str:
        """Of the Reelpatch among its nodes. Raises: `BadInput` where there is none that tells it."""
        answer = self._send("GET", "/reelpatch/version", may_fail=True)
        try:
            return str(json.loads(answer.content)["reelpatch"])
        except (ValueError, LookupError, TypeError):
            raise BadInput(
                f"{self.url} has no Reelpatch among its nodes, or an older one: install this version in its custom_nodes."
            ) from None

    def others_waiting(self) -> int:
        """How many prompts it runs and has in its queue."""
        found = self._json("GET", "/queue")
        return len(found.get("queue_running", ())) + len(found.get("queue_pending", ()))

    def upload(self, path: Path) -> str:
        """The name under which its nodes find a file, which is sent unless this client has sent it before."""
        digest = digest_of(path)
        if digest not in self._uploaded:
            name = f"{hashlib.sha256(digest.encode()).hexdigest()[:16]}{path.suffix.lower()}"
            with path.open("rb") as file:
                answer = self._send(
                    "POST",
                    "/upload/image",
                    files={"image": (name, file)},
                    data={"subfolder": _UPLOADS, "type": "input"},
                )
            told = self._object(answer)
            self._uploaded[digest] = f"{told.get('subfolder') or _UPLOADS}/{told.get('name')}"
        return self._uploaded[digest]

    def start_anew(self) -> None:
        """After the server was away: files are sent again, and what it was given before is cancelled, as others make that now."""
        self._uploaded.clear()
        while self._unfinished:
            self.cancel(self._unfinished.pop())

    def queue(self, prompt: Mapping[str, Any], prompt_id: str, client_id: str) -> None:
        """Puts a workflow at the end of the queue."""
        body = {"prompt": prompt, "prompt_id": prompt_id, "client_id": client_id}
        answer = self._send("POST", "/prompt", json=body, may_fail=True)
        if answer.status_code == requests.codes.ok:
            self._unfinished.add(prompt_id)
            return
        if answer.status_code != requests.codes.bad_request:
            self._check(answer)
        raise BadInput(f"{self.url} refuses the workflow: {_refusal(self._object(answer), prompt)}")

    def ended(self, prompt_id: str) -> dict[str, Any] | None:
        """What its history says of a prompt that has ended; None before."""
        found = self._json("GET", f"/history/{prompt_id}").get(prompt_id)
        if found is not None:
            self._unfinished.discard(prompt_id)
        return found

    def knows(self, prompt_id: str) -> bool:
        """Whether a prompt runs, or waits."""
        found = self._json("GET", "/queue")
        each = (*found.get("queue_running", ()), *found.get("queue_pending", ()))
        return any(prompt_id in one[:2] for one in each)

    def cancel(self, prompt_id: str) -> None:
        """Takes a prompt out of the queue, or ends it where it runs."""
        running = self._json("GET", "/queue").get("queue_running", ())
        self._send("POST", "/queue", json={"delete": [prompt_id]}, may_fail=True)
        if any(prompt_id in one[:2] for one in running):
            self._send("POST", "/interrupt", json={"prompt_id": prompt_id}, may_fail=True)
        self._unfinished.discard(prompt_id)

    def fetch(self, file: Mapping[str, str], target: Path) -> None:
        """Writes a file that its nodes made to `target`, whole or not at all."""
        query = {name: file.get(name, "") for name in ("filename", "subfolder", "type")}
        answer = self._send("GET", "/view", params=query, stream=True)
        with saved_at(target) as part, part.open("wb") as written:
            try:
                for chunk in answer.iter_content(_CHUNK_BYTES):
                    written.write(chunk)
            except requests.RequestException as error:
                raise ServerGone(f"{self.url} broke off while it sent a result ({_short(error)})") from error

    def _json(self, method: str, path: str) -> dict[str, Any]:
        return self._object(self._send(method, path))

    def _object(self, answer: requests.Response) -> dict[str, Any]:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ServerGone(f"{self.url} does not answer as a ComfyUI server does")
        return found

    def _send(self, method: str, path: str, *, may_fail: bool = False, **content: Any) -> requests.Response:
        try:
            answer = self._session.request(
                method,
                self.url + path,
                timeout=(_CONNECT_S, _ANSWER_S),
                allow_redirects=False,  # they would take the headers along to another host
                **content,
            )
        except requests.RequestException as error:
            raise ServerGone(f"{self.url} does not answer ({_short(error)})") from error
        if (
            not may_fail
            or answer.status_code in _LOGIN
            or 300 <= answer.status_code < 400
            or answer.status_code >= 500
        ):
            self._check(answer)
        return answer

    def _check(self, answer: requests.Response) -> None:
        code = answer.status_code
        if code in _LOGIN or 300 <= code < 400:
            raise ServerGone(
                f"{self.url} asks for a login ({code}): give its headers in a file with --headers"
            )
        if code == requests.codes.request_entity_too_large:
            raise BadInput(
                f"{self.url} takes no file of this size: start ComfyUI with a larger --max-upload-size, and see the proxy in front."
            )
        if code >= 400:
            raise ServerGone(f"{self.url} answers {code} {answer.reason}")


_LOGIN = (401, 403, 407)


def _short(error: Exception) -> str:
    """The innermost reason of a failed request, without addresses of objects."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    words = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return str(words)[:_SHOWN]


def _refusal(answer: Mapping[str, Any], prompt: Mapping[str, Any]) -> str:
    """What is wrong with a workflow, by the titles of its nodes."""
    for number, told in (answer.get("node_errors") or {}).items():
        title = prompt.get(number, {}).get("_meta", {}).get("title") or told.get("class_type", number)
        for error in told.get("errors", ()):
            details = error.get("details") or error.get("message")
            return f"{title}: {str(details)[:_SHOWN].rstrip('.')}."
    error = answer.get("error") or {}
    words = error.get("details") or error.get("message") if isinstance(error, dict) else error
    return f"{str(words)[:_SHOWN].rstrip('.')}."
