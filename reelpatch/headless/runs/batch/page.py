"""The report as a page that needs no other file: a row for each job, with pictures of its source and its result."""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from reelpatch.headless.runs.batch.job import Job
from reelpatch.headless.runs.batch.table import memory_of, minutes_of, range_of, size_of
from reelpatch.headless.runs.batch.thumbnails import Thumbnails

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #1e1e1e; background: #fafaf8; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem; border-top: 1px solid #ddd; overflow-wrap: anywhere; }}
img {{ display: block; min-width: 96px; image-rendering: pixelated; }}
.wrong {{ color: #a02020; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{told}</p>
<table>
<tr><th>line</th><th>job</th><th>source</th><th>result</th><th>work</th><th>state</th></tr>
"""


def page(source: Path, jobs: Sequence[Job], thumbnails: Thumbnails) -> Iterator[str]:
    """The page in parts, so that no more than one job's pictures are held at once."""
    done = sum(job.is_done for job in jobs)
    title = escape(f"Batch {source.name}")
    yield _HEAD.format(title=title, told=escape(f"{done} of {len(jobs)} jobs of {source} are done."))
    for job in jobs:
        yield _row(job, thumbnails)
    yield "</table>\n</body>\n</html>\n"


def _row(job: Job, thumbnails: Thumbnails) -> str:
    told = f"<b>{_text(job.verb)}</b> {_text(job.words)}"
    recipe = _text(getattr(job.request, "recipe", ""))
    work = "<br>".join(
        map(_text, filter(None, (size_of(job), range_of(job), memory_of(job), minutes_of(job))))
    )
    seconds = "" if job.seconds is None else f" in {job.seconds:.0f} s"
    state = f"{_text(job.state)}{seconds}"
    if job.said:
        state += f'<br><span class="wrong">{_text(job.said)}</span>'
    cells = (
        str(job.line),
        f"{told}<br>{recipe}",
        _picture(job, "source", job.source, thumbnails),
        _picture(job, "result", job.target, thumbnails),
        work,
        state,
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def _picture(job: Job, side: str, path: Path | None, thumbnails: Thumbnails) -> str:
    found = thumbnails.of(job, side) if job.is_done else None
    name = "" if path is None else _text(path)
    if found is None:
        return name
    data = base64.b64encode(found).decode("ascii")
    return f'<img alt="{side} of line {job.line}" src="data:image/jpeg;base64,{data}">{name}'


def _text(value: object) -> str:
    """As text of a page, whatever stands in it."""
    return escape(str(value).encode("utf-8", "replace").decode("utf-8"))
