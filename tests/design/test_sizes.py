"""Files and functions stay small, and names say what things are."""

import ast
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
Function = (ast.FunctionDef, ast.AsyncFunctionDef)
# Every file is read once and all that is wrong is told together: a test for each would take longer than what it asks.


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """Every file by its path from the root, parsed."""
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_bytes()) for path in FILES}


def too_large(tree: ast.Module) -> list[str]:
    """The functions of a file that are too long."""
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    return [one.name for one in functions if (one.end_lineno or 0) - one.lineno >= MAX_FUNCTION_LINES]


def badly_named(tree: ast.Module) -> list[str]:
    """The classes of a file whose names do not say what they are."""
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return [name for name in classes if name.endswith(("Manager", "Helper", "Wrapper", "Utils"))]


def test_there_is_something_to_look_at(trees: dict[str, ast.Module]) -> None:
    assert {"reelpatch/errors.py", "nodes/host.py", "tests/design/test_sizes.py"} <= trees.keys()


def test_files_stay_small() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_stay_small(trees: dict[str, ast.Module]) -> None:
    assert {name: found for name, tree in trees.items() if (found := too_large(tree))} == {}


def test_names_say_what_things_are(trees: dict[str, ast.Module]) -> None:
    assert [name for name in trees if FORBIDDEN & {*name.removesuffix(".py").split("/")}] == []
    assert {name: found for name, tree in trees.items() if (found := badly_named(tree))} == {}


def test_every_file_of_the_package_says_what_it_is(trees: dict[str, ast.Module]) -> None:
    package = {name: tree for name, tree in trees.items() if name.startswith("reelpatch/")}
    assert [name for name, tree in package.items() if tree.body and not ast.get_docstring(tree)] == []


def test_what_is_too_large_or_badly_named_would_be_found() -> None:
    body = "    x = 1\n" * MAX_FUNCTION_LINES
    assert too_large(ast.parse(f"def right():\n    pass\nasync def wrong():\n{body}")) == ["wrong"]
    assert badly_named(ast.parse("class Clip: ...\nclass ClipManager: ...")) == ["ClipManager"]
