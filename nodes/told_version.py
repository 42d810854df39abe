"""Which Reelpatch a server has, for programs that send it jobs: GET /reelpatch/version."""

from aiohttp import web

import reelpatch


def serve_version() -> None:
    """Adds the route to ComfyUI's server, where there is one."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is not None:
        server.routes.get("/reelpatch/version")(_tell_version)


async def _tell_version(_request: web.Request) -> web.Response:
    return web.json_response({"reelpatch": reelpatch.__version__})
