"""Files and functions stay small, and names say what things are."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES, MAX_FUNCTION_LINES = 380, 55
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
FILES = sorted(
    path
    for folder in ("reelpatch", "nodes", "tests", "workflows", "training", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
Defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
# Every file is read once and all that is wrong is told together: a test for each would take longer than what it asks.


@dataclass(frozen=True)
class Source:
    """What is asked of a file: its length, its docstring, and all that it defines."""

    num_lines: int
    docstring: str | None
    is_empty: bool
    defined: list[Defined]

    @classmethod
    def of(cls, text: str) -> "Source":
        tree = ast.parse(text)
        defined = [node for node in ast.walk(tree) if isinstance(node, Defined)]
        return cls(len(text.splitlines()), ast.get_docstring(tree), not tree.body, defined)


@pytest.fixture(scope="module")
def sources() -> dict[str, Source]:
    """Every file by its path from the root."""
    return {path.relative_to(ROOT).as_posix(): Source.of(path.read_text(encoding="utf-8")) for path in FILES}


def too_large(source: Source) -> list[str]:
    """The functions of a file that are too long."""
    functions = [node for node in source.defined if not isinstance(node, ast.ClassDef)]
    return [one.name for one in functions if (one.end_lineno or 0) - one.lineno >= MAX_FUNCTION_LINES]


def badly_named(source: Source) -> list[str]:
    """The classes of a file whose names do not say what they are."""
    classes = [node.name for node in source.defined if isinstance(node, ast.ClassDef)]
    return [name for name in classes if name.endswith(("Manager", "Helper", "Wrapper", "Utils"))]


def test_there_is_something_to_look_at(sources: dict[str, Source]) -> None:
    assert {"reelpatch/errors.py", "nodes/host.py", "tests/design/test_sizes.py"} <= sources.keys()


def test_files_stay_small(sources: dict[str, Source]) -> None:
    lengths = {name: source.num_lines for name, source in sources.items()}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_stay_small(sources: dict[str, Source]) -> None:
    assert {name: found for name, one in sources.items() if (found := too_large(one))} == {}


def test_names_say_what_things_are(sources: dict[str, Source]) -> None:
    assert [name for name in sources if FORBIDDEN & {*name.removesuffix(".py").split("/")}] == []
    assert {name: found for name, one in sources.items() if (found := badly_named(one))} == {}


def test_every_file_of_the_package_says_what_it_is(sources: dict[str, Source]) -> None:
    package = {name: one for name, one in sources.items() if name.startswith("reelpatch/")}
    assert [name for name, one in package.items() if not one.is_empty and not one.docstring] == []


def test_what_is_too_large_or_badly_named_would_be_found() -> None:
    body = "    x = 1\n" * MAX_FUNCTION_LINES
    assert too_large(Source.of(f"def right():\n    pass\nasync def wrong():\n{body}")) == ["wrong"]
    assert badly_named(Source.of("class Clip: ...\nclass ClipManager: ...")) == ["ClipManager"]
