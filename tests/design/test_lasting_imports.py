"""Commands and workers import what runs models only within `lasting_imports`, so that no garbage collection goes through it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.design.test_imports import FILES, ROOT, module_name

MODULES = {name: path for path in FILES if (name := module_name(path)).startswith("reelpatch")}
LIBRARY = "diffusers"  # draws in the others


def path_of(name: str) -> Path | None:
    """The file of one of our modules, or of the module that a name stands in."""
    return MODULES.get(name) or MODULES.get(name.rpartition(".")[0])


def names(node: ast.AST) -> list[str]:
    """Full names that a statement imports."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def at_the_top(path: Path) -> Iterator[str]:
    """What a file imports as it is imported itself."""
    waiting: list[ast.AST] = list(tree(path).body)
    while waiting:
        node = waiting.pop()
        yield from names(node)
        if not (is_for_types(node) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            waiting += ast.iter_child_nodes(node)


def is_for_types(node: ast.AST) -> bool:
    """Whether it is read by type checkers alone."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@cache
def running_models() -> frozenset[Path]:
    """Our files that come with the library."""
    drawn = {path: list(at_the_top(path)) for path in MODULES.values()}
    found = {path for path, each in drawn.items() if any(name.split(".")[0] == LIBRARY for name in each)}
    ours = {path: {path_of(name) for name in each} for path, each in drawn.items()}
    while more := {path for path, each in ours.items() if path not in found and each & found}:
        found |= more
    return frozenset(found)


def outside(path: Path) -> set[str]:
    """What a file's functions import that draws the library in, and not within `lasting_imports`."""
    if path in running_models():
        return set()
    found: set[str] = set()
    waiting: list[tuple[ast.AST, bool]] = [(tree(path), False)]
    while waiting:
        node, is_inside = waiting.pop()
        if is_for_types(node):
            continue
        is_inside = is_inside or (
            isinstance(node, ast.With) and "lasting_imports()" in map(ast.unparse, node.items)
        )
        if not is_inside:
            found |= {name for name in names(node) if path_of(name) in running_models()}
        waiting += [(one, is_inside) for one in ast.iter_child_nodes(node)]
    return found


def test_what_runs_models_is_imported_to_last() -> None:
    assert {str(path.relative_to(ROOT)): found for path in MODULES.values() if (found := outside(path))} == {}


def test_both_kinds_of_files_are_known() -> None:
    headless = ROOT / "reelpatch" / "headless"
    assert headless / "runs" / "edit.py" in running_models()
    assert headless / "commands" / "edit.py" not in running_models()
