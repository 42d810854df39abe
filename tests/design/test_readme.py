"""What README and docs tell a person is so: files, commands, methods, sizes and words are looked up where they are."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from reelpatch.headless.commands.main import build_parser
from reelpatch.recipes import RECIPES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAX_LINES = 150
NOT_RECORDED = "not recorded"


def fenced(page: str) -> str:
    """The lines of a page's blocks of code."""
    return "\n".join(re.findall(r"^```\w*\n(.*?)^```", page, re.MULTILINE | re.DOTALL))


def test_it_stays_short_and_the_set_up_stands_on_the_first_screen() -> None:
    lines = README.splitlines()
    assert len(lines) <= MAX_LINES
    first = "\n".join(lines[:20])
    assert re.findall(r"^make ([a-z-]+)", first, re.MULTILINE) == ["demo", "test"]
    assert first.count("![") == 1
    assert "It was last run on an AMD EPYC (Zen 4, AVX-512) with two cores." in README


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_and_pictures_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_tables_have_a_head_and_all_their_columns(page: Path) -> None:
    """Rows that a blank line parts from the head of their table are shown as plain text."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, below, *rows = [*table.splitlines(), ""]
        assert re.fullmatch(r"[|:\s-]+", below), head
        columns = {len(re.findall(r"(?<!\\)\|", row)) for row in (head, below, *rows) if row}
        assert len(columns) == 1, head


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_are_commands(page: Path) -> None:
    """Commands in blocks parse, make has its targets, and what pytest and python are pointed at exists."""
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in re.findall(r"^(?:\.venv/bin/)?reelpatch (.+)$", fenced(text), re.MULTILINE):
        build_parser().parse_args(shlex.split(line, comments=True))
    for target in re.findall(r"\bmake ([a-z]+(?:-[a-z]+)?)`", text):
        assert target in targets, target
    for module in re.findall(r"`python -m ((?:benchmarks|tests|workflows|training)[\w.]*)", text):
        assert list(ROOT.glob(f"{module.replace('.', '/')}*")), module
    for path in re.findall(r"\btests/[\w/]+(?:\.py)?", text):
        assert (ROOT / path).exists(), path


def test_every_verb_is_told() -> None:
    (choices,) = (action.choices for action in build_parser()._actions if action.choices)
    (table,) = re.findall(r"^\| verb \|.*?\n\n", README, re.MULTILINE | re.DOTALL)
    told = {name for row in table.split("\n|")[1:] for name in re.findall(r"`(\w+)`", row.split("|")[0])}
    assert told == set(choices)


def test_the_table_of_methods_is_that_of_the_recipes() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| [^|]+ \| (\d+) \| (\d+) \| ([^|]+) \|$", README, re.MULTILINE)
    told = {name: rest for names, *rest in rows for name in re.findall(r"`([^`]+)`", names)}
    assert set(told) == set(RECIPES)
    for name, (steps, size, licence) in told.items():
        record = RECIPES[name]
        assert int(steps) == record.num_run_steps, name
        assert int(size) == round(gigabytes(name)), (name, gigabytes(name))
        if licence == NOT_RECORDED:
            assert record.licence.startswith(NOT_RECORDED), name
        else:
            assert record.licence.startswith(licence), name


def gigabytes(name: str) -> float:
    """Of all files of a recipe, each once; a pickle counts as the whole file that it is converted to."""
    files = RECIPES[name].files
    sizes = {
        file.url: file.size_gb
        if file.size_gb is not None
        else file.other_sizes_gb.get("vdot_14b_bf16.safetensors", 0)
        for file in files
        if file.url
    }
    return sum(sizes.values())


def test_the_python_example_names_what_exists() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            module = __import__(str(node.module), fromlist=["*"])
            assert all(hasattr(module, name.name) for name in node.names)
