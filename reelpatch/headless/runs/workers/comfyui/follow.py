"""One workflow on a server from its queue to its end, followed over the websocket.

The websocket tells how far it is; what became of it is read from the server's history, so that a lost message loses nothing.
"""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from reelpatch.headless.runs.workers.comfyui.client import Client, ServerGone
from reelpatch.headless.runs.workers.comfyui.shipped import title_of
from reelpatch.progress import OnProgress

_OPEN_S, _HEAR_S = 10.0, 1.0
_LOOK_S = 5.0
"""How often history is read though the websocket says nothing of an end."""
_MOST_MESSAGE_BYTES = 2**26  # previews are pictures
_ENDS = ("execution_success", "execution_error", "execution_interrupted")


def run_prompt(
    client: Client, prompt: Mapping[str, Any], on_progress: OnProgress, is_stopped: Callable[[], bool]
) -> dict[str, Any] | None:
    """What history says of a workflow when it has ended; None where it was stopped.

    Raises: `ServerGone` where the server is lost or has forgotten it, `BadInput` where it refuses the workflow.
    """
    prompt_id, client_id = str(uuid.uuid4()), uuid.uuid4().hex
    with ExitStack() as sockets:
        socket = _opened(sockets, client, client_id)
        client.queue(prompt, prompt_id, client_id)
        on_progress("in the queue", 0, 1)
        looked = time.monotonic()
        while not is_stopped():
            try:
                has_ended = _hear(socket, prompt, prompt_id, on_progress)
            except (OSError, WebSocketException):  # what stands between may close it; the server may be well
                sockets.close()
                socket = _opened(sockets, client, client_id)
                has_ended = True
            if has_ended or time.monotonic() - looked > _LOOK_S:
                looked = time.monotonic()
                if history := _end_of(client, prompt_id):
                    return history
        client.cancel(prompt_id)
        return None


def _end_of(client: Client, prompt_id: str) -> dict[str, Any] | None:
    """What history says of it, None while it waits or runs. Raises: `ServerGone` where the server knows nothing of it."""
    # It is never in neither: history has it before the queue lets go of it.
    history = client.ended(prompt_id)
    if history is None and not client.knows(prompt_id):
        history = client.ended(prompt_id)
        if history is None:
            raise ServerGone(f"{client.url} has forgotten the job, as it does when it is started anew")
    return history


def _opened(sockets: ExitStack, client: Client, client_id: str) -> ClientConnection:
    parts = urlsplit(client.url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    url = urlunsplit((scheme, parts.netloc, f"{parts.path}/ws", f"clientId={client_id}", ""))
    try:
        return sockets.enter_context(
            connect(
                url, additional_headers=client.headers, open_timeout=_OPEN_S, max_size=_MOST_MESSAGE_BYTES
            )
        )
    except InvalidStatus as error:
        code = error.response.status_code
        raise ServerGone(
            f"{client.url} opens no websocket ({code}): see that the proxy in front lets it through, and --headers"
        ) from error
    except (OSError, WebSocketException) as error:
        raise ServerGone(f"{client.url} opens no websocket ({error})") from error


def _hear(
    socket: ClientConnection, prompt: Mapping[str, Any], prompt_id: str, on_progress: OnProgress
) -> bool:
    """Whether the prompt is said to have ended. Raises: as `ClientConnection.recv` where the connection is lost."""
    try:
        message = socket.recv(timeout=_HEAR_S)
    except TimeoutError:
        return False
    if isinstance(message, bytes):
        return False
    try:
        found = json.loads(message)
        kind, data = str(found["type"]), dict(found["data"])
    except (ValueError, LookupError, TypeError):
        return False
    if data.get("prompt_id") != prompt_id:
        return False
    if kind in _ENDS or (kind == "executing" and data.get("node") is None):
        return True
    node = prompt.get(str(data.get("node")))
    if node is not None and kind == "progress":
        on_progress(title_of(node), int(data.get("value", 0)), int(data.get("max", 1)))
    elif node is not None and kind == "executing":
        on_progress(title_of(node), 0, 1)
    return False
