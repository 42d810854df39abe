"""What the engine says is right in both hosts: it names a setting plainly, and the command line's option beside it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# These answer the command line alone, in its words, or have them taken away for nodes (`report_for_node`).
COMMAND_LINE = ("headless", "plan/report.py", "plan/advice.py")
OPTION = re.compile(r"(?<![\w-])--[a-z]")
FILES = sorted(
    path
    for folder in ("reelpatch", "nodes")
    for path in (ROOT / folder).rglob("*.py")
    if not path.relative_to(ROOT / folder).as_posix().startswith(COMMAND_LINE)
)


def spoken(source: str) -> Iterator[str]:
    """Every text of a source that may be shown: not its docstrings, nor what is given as `option`.

    A variable `option` within a text reads as the option that it holds.
    """
    tree = ast.parse(source)
    silent: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            silent |= set(ast.walk(node)) if isinstance(node.value, ast.Constant) else set()
        elif isinstance(node, ast.keyword) and node.arg == "option":
            silent |= set(ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in silent:
            yield node.value
        elif isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
            yield " --option" if node.value.id == "option" else ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_sends_a_person_in_comfyui_to_the_command_line(path: Path) -> None:
    told = [text for text in spoken(path.read_text(encoding="utf-8")) if OPTION.search(text) and " " in text]
    assert told == []


def test_a_sentence_with_an_option_would_be_found() -> None:
    source = '"""See --fit."""\nraise BadInput(f"{x}: fit it (--fit), or {option}.", option="--fit of it")\n'
    assert [text for text in spoken(source) if OPTION.search(text)] == [": fit it (--fit), or ", " --option"]
