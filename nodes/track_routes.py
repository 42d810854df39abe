"""What the editor of Mask track asks of the server: frames of a chosen film, and the masks that the engine draws."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import folder_paths
from aiohttp import web

from reelpatch.errors import BadInput
from reelpatch.media.glimpse import FilmIndex, film_strip, index_film, strip_size

from .track_given import REMEMBERED
from .track_masks import BOUNDS, MaskRequest, drawn_masks

STRIP_FRAMES = 16
_MOST_PX, _MOST_FPS = 1024, 1000
_FOLDERS = ("input", "temp", "output")
ROUTES = web.RouteTableDef()
_films = ThreadPoolExecutor(1, thread_name_prefix="reelpatch-films")
_masks = ThreadPoolExecutor(1, thread_name_prefix="reelpatch-masks")


def serve_editor() -> None:
    """Adds the routes to ComfyUI's server, where there is one."""
    from server import PromptServer

    server = getattr(PromptServer, "instance", None)
    if server is not None:
        for route in ROUTES:
            server.routes.route(route.method, route.path)(route.handler)


@ROUTES.get("/reelpatch/film")
async def tell_film(request: web.Request) -> web.Response:
    """What is known of a film: size, frames, rate, and how its strips are laid out."""

    def told() -> dict[str, Any]:
        index = _index(_film(request))
        (height, width), step = strip_size(index.size, _most_px(request))
        return {
            **{"width": index.size[1], "height": index.size[0], "frames": index.num_frames},
            "fps": f"{index.fps.numerator}/{index.fps.denominator}",
            "strip": {"frames": STRIP_FRAMES, "width": width, "height": height, "step": step},
        }

    return await _answered(_films, lambda: web.json_response(told()))


@ROUTES.get("/reelpatch/film/strip")
async def show_strip(request: web.Request) -> web.Response:
    """A strip of frames, by its number, as a JPEG."""

    def shown() -> web.Response:
        path = _film(request)
        index = _index(path)
        first = _whole(request, "strip", 0, (index.num_frames - 1) // STRIP_FRAMES) * STRIP_FRAMES
        count = min(STRIP_FRAMES, index.num_frames - first)
        return web.Response(
            body=film_strip(path, index, first, count, _most_px(request)), content_type="image/jpeg"
        )

    return await _answered(_films, shown)


@ROUTES.post("/reelpatch/mask_track/masks")
async def draw_masks(request: web.Request) -> web.Response:
    """Masks of the track that is the body, one byte a pixel, frame after frame; the header Reelpatch-Masks says which."""
    track = await request.read()

    def drawn() -> web.Response:
        asked = MaskRequest(
            **{name: _whole(request, name, *bounds) for name, bounds in BOUNDS.items()}, fps=_rate(request)
        )
        given = REMEMBERED.masks(request.query.get("run", ""), (asked.frames, asked.height, asked.width))
        masks, told = drawn_masks(track, asked, given)
        answer = web.Response(
            body=masks, content_type="application/octet-stream", headers={"Reelpatch-Masks": json.dumps(told)}
        )
        answer.enable_compression(web.ContentCoding.deflate)
        return answer

    return await _answered(_masks, drawn)


async def _answered(pool: ThreadPoolExecutor, answer: Callable[[], web.Response]) -> web.Response:
    """The answer of work in a thread of its own, or 400 with the sentence that says what is wrong."""
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, answer)
    except BadInput as error:
        return web.json_response({"error": str(error)}, status=400)


def _film(request: web.Request) -> Path:
    """The file that is asked for, within ComfyUI's folders. Raises: BadInput for what lies elsewhere or is not there."""
    name, kind = request.query.get("filename", ""), request.query.get("type", "input")
    within = Path(request.query.get("subfolder", "")) / name
    folder = folder_paths.get_directory_by_type(kind) if kind in _FOLDERS else None
    if folder is None:
        raise BadInput(f"{kind!r} is no folder of ComfyUI's: ask for one of {', '.join(_FOLDERS)}.")
    if not name or within.is_absolute() or ".." in within.parts:
        raise BadInput(f"{str(within)!r} lies outside ComfyUI's folder {kind}: choose a file in it.")
    path = Path(folder) / within
    if not path.is_file():
        raise BadInput(
            f"there is no file {str(within)!r} in ComfyUI's folder {kind}: choose another, or upload it."
        )
    return path


def _most_px(request: web.Request) -> int:
    return _whole(request, "most", 16, _MOST_PX)


def _whole(request: web.Request, name: str, least: int, most: int) -> int:
    text = request.query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        raise BadInput(f"{name} is {text[:40]!r}: give a whole number from {least} to {most}.")
    return int(text)


def _rate(request: web.Request) -> Fraction | None:
    """Frames per second, such as 24000/1001; none where the clip has no rate."""
    text = request.query.get("fps", "")
    if not text:
        return None
    try:
        rate = Fraction(text[:40])
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= _MOST_FPS:
        raise BadInput(f"fps is {text[:40]!r}: give a rate above 0 up to {_MOST_FPS}, such as 24000/1001.")
    return rate


def _index(path: Path) -> FilmIndex:
    stat = path.stat()
    return _remembered(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=16)
def _remembered(path: Path, _changed_ns: int, _num_bytes: int) -> FilmIndex:
    return index_film(path)
