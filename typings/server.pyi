from aiohttp import web

class PromptServer:
    instance: PromptServer | None  # there once the server has started
    routes: web.RouteTableDef
    def send_progress_text(self, text: str, node_id: str) -> None: ...
