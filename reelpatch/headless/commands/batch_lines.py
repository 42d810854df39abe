"""The file of a batch, line by line: JSON objects, or a table with the names of options at its top."""

import csv
import json
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from reelpatch.errors import BadInput

Fields = dict[str, Any]

_MOST_LINE_BYTES = 2**20
_MOST_FILE_BYTES = 2**28
_MOST_LINES = 100_000
_SHOWN = 40
_DEFAULTS = "defaults"
EACH = "each"
"""The field whose values are lists: a job is made of every combination."""


@dataclass(frozen=True)
class Line:
    """One line by its number, counted from 1: its fields, or the sentence that says why it has none."""

    number: int
    fields: Fields
    wrong: str = ""


@dataclass(frozen=True)
class JobFile:
    """The lines of a file of jobs, read as they are asked for, and the fields that each of them begins with."""

    defaults: Fields
    lines: Iterator[Line]


def read_jobs(path: Path, defaults: Path | None) -> JobFile:
    """The lines of a file of jobs; its first may say defaults, which go over those of a file of their own.

    Raises: `BadInput` for a file that cannot be read, is too large or no .jsonl or .csv, and for defaults that are none.
    """
    ways = {".jsonl": _json_lines, ".csv": _table_lines}
    if path.suffix.lower() not in ways:
        raise BadInput(
            f"the file of jobs {path} does not end in .jsonl or .csv, which is what is read: rename it."
        )
    try:
        num_bytes = path.stat().st_size
        file = path.open("rb")
    except OSError as error:
        raise BadInput(
            f"the file of jobs {path} cannot be read ({error.strerror}): check the path."
        ) from error
    if num_bytes > _MOST_FILE_BYTES:
        file.close()
        raise BadInput(f"{path} is larger than {_MOST_FILE_BYTES // 2**20} MiB: cut it into several files.")
    lines = _counted(ways[path.suffix.lower()](file), path)
    common = {} if defaults is None else _read_defaults(defaults)
    first = next(lines, None)
    if first is None:
        raise BadInput(f"the file of jobs {path} has no line: write one job on each.")
    if _DEFAULTS not in first.fields:
        return JobFile(common, chain([first], lines))
    own = first.fields[_DEFAULTS]
    if len(first.fields) > 1 or not isinstance(own, dict):
        raise BadInput(
            f'the defaults in line {first.number} of {path} are not written as {{"defaults": {{...}}}} alone: correct them.'
        )
    return JobFile(
        common | _plain(cast(Fields, own), f"the defaults in line {first.number} of {path}"), lines
    )


def _read_defaults(path: Path) -> Fields:
    what = f"the file of defaults {path}"
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_LINE_BYTES + 1)
    except OSError as error:
        raise BadInput(
            f"{what} cannot be read ({error.strerror}): check the path.", setting="defaults"
        ) from error
    if len(text) > _MOST_LINE_BYTES:
        raise BadInput(
            f"{what} is longer than {_MOST_LINE_BYTES // 2**20} MiB: shorten it.", setting="defaults"
        )
    return _object(text, what)


def _counted(lines: Iterator[Line], path: Path) -> Iterator[Line]:
    for count, line in enumerate(lines, 1):
        if count > _MOST_LINES:
            raise BadInput(f"{path} has more than {_MOST_LINES} lines: cut it into several files.")
        yield line


def _bounded(file: BinaryIO) -> Generator[tuple[int, bytes | None]]:
    """Lines by their numbers; None for one that is too long, which is never held whole."""
    number = 0
    while line := file.readline(_MOST_LINE_BYTES + 1):
        number += 1
        if len(line) <= _MOST_LINE_BYTES or line.endswith(b"\n"):
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_MOST_LINE_BYTES)
        yield number, None


def _too_long() -> str:
    return f"the line is longer than {_MOST_LINE_BYTES // 2**20} MiB, which no job is: shorten it."


def _json_lines(file: BinaryIO) -> Iterator[Line]:
    with file:
        for number, text in _bounded(file):
            if text is None:
                yield Line(number, {}, _too_long())
            elif text.strip():
                try:
                    yield Line(number, _object(text, "the line"))
                except BadInput as error:
                    yield Line(number, {}, str(error))


def _object(text: bytes, what: str) -> Fields:
    """The fields of a JSON object. Raises: `BadInput` for any other text, for NaN, and for fields that are there twice."""

    def named(pairs: list[tuple[str, Any]]) -> Fields:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise BadInput(f"{what} has a field twice in one object: leave one of them out.")
        return found

    def no_number(name: str) -> NoReturn:
        raise BadInput(f"{what} has {name} in it, which is no number: give a finite one.")

    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=named, parse_constant=no_number)
    except BadInput:
        raise
    except UnicodeDecodeError as error:
        raise BadInput(f"{what} is no text in UTF-8: save it as such.") from error
    except RecursionError as error:
        raise BadInput(
            f"{what} is nested too deeply to be a job: its fields are texts, numbers and lists of them."
        ) from error
    except ValueError as error:
        raise BadInput(
            f'{what} is no JSON: write one object, such as {{"verb": "edit", "clip": "a.mp4", "instruction": "make it sepia"}}.'
        ) from error
    if not isinstance(found, dict):
        raise BadInput(f"{what} is no JSON object: write its fields in braces.")
    fields = cast(Fields, found)
    return fields if set(fields) == {_DEFAULTS} else _plain(fields, what)


def _plain(fields: Fields, what: str) -> Fields:
    """The same fields. Raises: `BadInput` for one that is no text, number, true, false, null or a list of texts and numbers, which `each` has several of."""
    for name, value in fields.items():
        _check_text(name, what)
        if name == _DEFAULTS:
            raise BadInput(
                f"{what} has defaults in it, which stand alone in the first line: move them there."
            )
        if name == EACH and isinstance(value, dict):
            lists = cast(Fields, value)
            if not any(isinstance(one, dict) for one in lists.values()):
                _plain(lists, what)
                continue
        each = cast(list[Any], value) if isinstance(value, list) else [value]
        is_plain = all(one is None or isinstance(one, str | int | float) for one in each)
        if not is_plain or any(isinstance(one, float) and not math.isfinite(one) for one in each):
            raise BadInput(
                f"the field {name[:_SHOWN]!r} of {what.removeprefix('the ')} is no text, finite number, true, false or list of "
                "texts: write it as on the command line."
            )
        for one in each:
            _check_text(str(one), what)
    return fields


def _check_text(text: str, what: str) -> None:
    """Raises: `BadInput` for what no command line can hold."""
    if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise BadInput(f"{what} has a character in it that no file and no text has: take it out.")


class _TableText:
    """The lines of a table for `csv`, which has no say in how long they are."""

    def __init__(self, file: BinaryIO) -> None:
        self._lines = _bounded(file)
        self.number, self.wrong = 0, ""

    def __iter__(self) -> Iterator[str]:
        for number, text in self._lines:
            self.number = number
            if text is None:
                self.wrong = _too_long()
                yield "\n"
                continue
            try:
                yield text.decode("utf-8")
            except UnicodeDecodeError:
                self.wrong = "the line is no text in UTF-8: save the file as such."
                yield "\n"

    def taken(self) -> str:
        """Why the lines that were read since the last call are wrong, empty where they are not."""
        wrong, self.wrong = self.wrong, ""
        return wrong


def _table_lines(file: BinaryIO) -> Iterator[Line]:
    with file:
        text = _TableText(file)
        lines = iter(text)
        head = next((line for line in lines if line.strip() or text.wrong), "")
        rows = csv.reader(
            chain([head], lines), delimiter=_delimiter(head), skipinitialspace=True, strict=True
        )
        names = list[str]()
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                row, text.wrong = (
                    [],
                    text.wrong or f"the line is no row of a table ({error}): check its quotes.",
                )
            if wrong := text.taken():
                if not names:
                    raise BadInput(f"line {text.number} of the file of jobs names no columns: {wrong}")
                yield Line(text.number, {}, wrong)
            elif not any(cell.strip() for cell in row):
                continue
            elif not names:
                names = [name.strip() for name in row]
            elif len(row) > len(names):
                yield Line(
                    text.number,
                    {},
                    f"the line has {len(row)} cells, but the table has {len(names)} columns: put texts with commas in quotes.",
                )
            else:
                yield _row(text.number, _cells(names, row))


def _delimiter(head: str) -> str:
    """What stands between the columns of a table: a comma, or what spreadsheets write where that is the decimal sign."""
    return next((one for one in ",;\t" if one in head), ",")


def _row(number: int, fields: Fields) -> Line:
    try:
        return Line(number, _plain(fields, "the line"))
    except BadInput as error:
        return Line(number, {}, str(error))


def _cells(names: list[str], row: list[str]) -> Fields:
    """The cells that hold something; a column that stands several times is a list."""
    found: Fields = {}
    for name, cell in zip(names, row, strict=False):
        if cell.strip():
            found[name] = (
                [*found[name], cell]
                if isinstance(found.get(name), list)
                else ([found[name], cell] if name in found else cell)
            )
    return found
