"""What a node tells the person in front of it, beside its outputs."""

import logging

from comfy_api.latest import io

_log = logging.getLogger("reelpatch")


def say(node: type[io.ComfyNode], text: str) -> None:
    """Shows `text` under the node in the browser, and logs it; without a server, logs it alone."""
    _log.info("%s", text)
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)  # ComfyUI sets it when the server starts
    if server is not None and node.hidden is not None and node.hidden.unique_id is not None:
        server.send_progress_text(text, node.hidden.unique_id)
