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


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=short)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize("path", FILES, ids=short)
def test_names_say_what_things_are(path: Path) -> None:
    assert not FORBIDDEN & set(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            assert not node.name.endswith(("Manager", "Helper", "Wrapper", "Utils")), node.name


@pytest.mark.parametrize("path", [p for p in FILES if p.is_relative_to(ROOT / "reelpatch")], ids=short)
def test_every_file_of_the_package_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body
