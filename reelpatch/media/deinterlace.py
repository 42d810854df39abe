"""Interlaced frames as progressive ones: each keeps its time, and its second field is made anew."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from fractions import Fraction
from itertools import chain

import av
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

# One frame for each that goes in; frames that are said to be progressive go through as they are.
_FILTER, _SETTINGS = "bwdif", "mode=send_frame:parity=auto:deint=interlaced"
# A frame without neighbours does not tell what moves in it: its lines are drawn from each other.
_ALONE, _ALONE_SETTINGS = "estdif", "mode=frame:deint=interlaced"

_Times = tuple[int | None, int, Fraction | None]  # when a frame is shown, for how long, and the clock of both


def progressive(frames: Iterable[VideoFrame], say: Callable[[str], None]) -> Generator[VideoFrame]:
    """The same frames in the same number, order and time; from the first interlaced one on they go through FFmpeg's filter."""
    rest = iter(frames)
    for first in rest:
        if first.interlaced_frame:
            say("is interlaced; it is deinterlaced (bwdif), and edited and given back progressive")
            yield from _filtered(first, rest)
            return
        yield first


def _filtered(first: VideoFrame, rest: Iterator[VideoFrame]) -> Generator[VideoFrame]:
    second = next(rest, None)
    graph = _graph(first, *(_ALONE, _ALONE_SETTINGS) if second is None else (_FILTER, _SETTINGS))
    times: deque[_Times] = deque()
    for frame in chain((first,) if second is None else (first, second), rest):
        times.append((frame.pts, frame.duration, frame.time_base))
        graph.push(frame)
        yield from _timed(graph, times)
    graph.push(None)
    yield from _timed(graph, times)


def _graph(frame: VideoFrame, name: str, settings: str) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=VideoFormat(frame.format.name),
        time_base=frame.time_base or Fraction(1, 1000),
    )
    graph.link_nodes(source, graph.add(name, settings), graph.add("buffersink")).configure()
    return graph


def _timed(graph: Graph, times: deque[_Times]) -> Generator[VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, VideoFrame)
        frame.pts, frame.duration, base = times.popleft()
        if base is not None:
            frame.time_base = base
        yield frame
