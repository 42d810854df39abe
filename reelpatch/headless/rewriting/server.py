"""Asks a server that speaks OpenAI's chat protocol, such as llama.cpp, vLLM or Ollama: bounded in time and size."""

import base64
import json
import os
import time
from collections.abc import Sequence
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any, NoReturn, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from reelpatch.errors import BadInput
from reelpatch.recipes.rewriting import MOST_TOKENS, Chat
from reelpatch.recipes.rewritten import shortened

KEY_VARIABLE = "REELPATCH_REWRITE_KEY"
_MOST_BYTES = 64 * 1024


class _NoRedirects(HTTPRedirectHandler):
    """A key and pictures go to the address that was given, and nowhere else."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:  # noqa: ARG002
        return None


def check_url(url: str) -> str:
    """The address of the protocol's root, such as `http://127.0.0.1:11434/v1`.

    Raises: `BadInput` for what is no such address, and for a key that would go over the network unencrypted.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        _refuse(
            f"'{url}' is no address of a server: give one such as http://127.0.0.1:11434/v1, up to and with the /v1."
        )
    if parts.scheme == "http" and os.environ.get(KEY_VARIABLE) and not _is_local(parts.hostname):
        _refuse(
            f"the key in {KEY_VARIABLE} would go to {parts.hostname} unencrypted: use an address that begins with https."
        )
    return url.rstrip("/").removesuffix("/chat/completions")


def first_model(url: str, *, timeout_s: float) -> str:
    """The name of the first model that the server lists. Raises: `BadInput` as `ask`."""
    answer = _exchanged(url, "models", None, timeout_s)
    listed = answer.get("data")
    names = [one["id"] for one in listed if _is_text(one, "id")] if isinstance(listed, list) else []
    if not names:
        _refuse(f"{url} lists no models: name one that it serves (--rewrite-model).")
    return str(names[0])


def ask(url: str, model: str, chat: Chat, pictures: Sequence[bytes], *, timeout_s: float) -> str:
    """The model's answer to a chat with JPEG `pictures`.

    Raises: `BadInput` for a server that cannot be reached, takes longer than `timeout_s`, or answers with an error, with
        something else than the protocol says, or with too much.
    """
    seen = [
        {
            "type": "image_url",
            "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(one).decode()}"},
        }
        for one in pictures
    ]
    answer = _exchanged(
        url,
        "chat/completions",
        {
            "model": model,
            "messages": [
                {"role": "system", "content": chat.system},
                {
                    "role": "user",
                    "content": [*seen, {"type": "text", "text": chat.user}] if seen else chat.user,
                },
            ],
            "max_tokens": MOST_TOKENS,
            "temperature": 0,
            "seed": 0,
        },
        timeout_s,
    )
    return _content(answer, url)


def _content(answer: dict[str, Any], url: str) -> str:
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = cast("dict[str, Any]", choice).get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        _refuse(f"{url} answered, but with no message: it does not speak OpenAI's chat protocol.")
    said = cast("dict[str, Any]", message)
    if refusal := said.get("refusal"):
        _refuse(
            f"the language model refused to rewrite the instruction ({shortened(str(refusal))}): say it in other words, or use another one."
        )
    if cast("dict[str, Any]", choice).get("finish_reason") == "content_filter":
        _refuse("the server's filter held back the rewritten instruction.")
    content = said.get("content")
    return content if isinstance(content, str) else ""


def _exchanged(url: str, path: str, sent: dict[str, Any] | None, timeout_s: float) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key := os.environ.get(KEY_VARIABLE):
        headers["Authorization"] = f"Bearer {key}"
    data = None if sent is None else json.dumps(sent).encode()
    request = Request(f"{check_url(url)}/{path}", data=data, headers=headers)
    try:
        error_code, content = _answered(request, timeout_s, deadline)
    except TimeoutError:
        _refuse(f"{url} did not answer within {timeout_s:g} s: give it longer (--rewrite-timeout).")
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            _refuse(f"{url} did not answer within {timeout_s:g} s: give it longer (--rewrite-timeout).")
        _refuse(
            f"{url} cannot be reached ({shortened(str(reason))}): start the server, or check the address."
        )
    if error_code:
        said = shortened((content or b"").decode("utf-8", "replace"))
        _refuse(
            f"{url} answered with an error (HTTP {error_code}: {said}): see what the server itself says of it."
        )
    if content is None:
        _refuse(f"{url} answered with more than {_MOST_BYTES // 1024} kB, which is no instruction.")
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        _refuse(
            f"{url} answered with something else than JSON: give the address of its API, which ends in /v1."
        )
    return cast("dict[str, Any]", answer)


def _answered(request: Request, timeout_s: float, deadline: float) -> tuple[int, bytes | None]:
    """The number of an error, 0 for none, and what was answered with it; None for too much."""
    try:
        with build_opener(_NoRedirects).open(request, timeout=timeout_s) as response:
            return 0, _read(response, deadline)
    except HTTPError as error:
        with error:
            return error.code, _read(error, deadline)


def _read(response: Any, deadline: float) -> bytes | None:
    """What was answered; None for too much. Raises: `TimeoutError` for a server that drips."""
    content = bytearray()
    while chunk := response.read1(_MOST_BYTES):
        content += chunk
        if len(content) > _MOST_BYTES:
            return None
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(content)


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_text(record: Any, name: str) -> bool:
    return isinstance(record, dict) and isinstance(cast("dict[str, Any]", record).get(name), str)


def _refuse(sentence: str) -> NoReturn:
    raise BadInput(sentence, setting="rewrite_url")
