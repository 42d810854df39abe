"""What the engine says is right in both hosts: it names a setting plainly, which each host spells in its own way."""

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

from reelpatch.headless.commands.main import as_option, build_parser

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
    """Every text of a source that may be shown: not its docstrings."""
    tree = ast.parse(source)
    silent: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            silent |= set(ast.walk(node)) if isinstance(node.value, ast.Constant) else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in silent:
            yield node.value


def test_no_sentence_sends_a_person_in_comfyui_to_the_command_line() -> None:
    assert len(FILES) > 100
    told = {
        str(path.relative_to(ROOT)): [text for text in spoken(path.read_text("utf-8")) if OPTION.search(text)]
        for path in FILES
    }
    assert {name: texts for name, texts in told.items() if texts} == {}


def test_a_sentence_with_an_option_would_be_found() -> None:
    source = '"""See --fit."""\nraise BadInput(f"{x}: fit it (--fit).", setting="fit")\n'
    assert [text for text in spoken(source) if OPTION.search(text)] == [": fit it (--fit)."]


def settings_of(source: str) -> Iterator[str]:
    """The settings that a source names to `BadInput`, or to what hands them on, by their literal names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "setting":
            yield from (
                one.value
                for one in ast.walk(node.value)
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """All options of the command line, with those of its verbs."""
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found |= {option for verb in action.choices.values() for option in options_of(verb)}
    return found


def test_every_setting_is_an_option_of_the_command_line() -> None:
    paths = (ROOT / "reelpatch").rglob("*.py")
    named = {one for path in paths for one in settings_of(path.read_text(encoding="utf-8"))}
    assert {"fit", "mask_channel", "steps"} <= named
    assert {one for one in named if as_option(one) not in options_of(build_parser())} == set()
