from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import Enum
from typing import Any

_Handler = Callable[[Request], Awaitable[Response]]

class Request:
    query: Mapping[str, str]
    async def read(self) -> bytes: ...

class ContentCoding(Enum):
    deflate = ...

class Response:
    def __init__(
        self,
        *,
        body: Any = ...,
        status: int = ...,
        headers: Mapping[str, str] | None = ...,
        content_type: str | None = ...,
    ) -> None: ...
    def enable_compression(self, force: ContentCoding | None = ...) -> None: ...

class RouteDef:
    method: str
    path: str
    handler: _Handler

class RouteTableDef:
    def __iter__(self) -> Iterator[RouteDef]: ...
    def get(self, path: str) -> Callable[[_Handler], _Handler]: ...
    def post(self, path: str) -> Callable[[_Handler], _Handler]: ...
    def route(self, method: str, path: str) -> Callable[[_Handler], _Handler]: ...

def json_response(data: Any, *, status: int = ...) -> Response: ...
