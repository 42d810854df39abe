"""What stands there in English stands there in Chinese: every word of every node, and every help page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCALES, HELP = ROOT / "locales", ROOT / "js" / "docs"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Names that are the same in both.
NAMES = {"VAE", "LoRA", "CLIP", "CFG", "JSON", "Latent", "Sigmas", "Flow UniPC"}


def words(branch: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text of a file of words, with the keys that lead to it."""
    for key, value in branch.items():
        yield from words(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]


def of(language: str, file: Path) -> dict[tuple[str, ...], str]:
    return dict(words(json.loads((LOCALES / language / file.name).read_text(encoding="utf-8"))))


@pytest.mark.parametrize("file", sorted((LOCALES / "en").glob("*.json")), ids=lambda path: path.name)
def test_every_english_key_has_chinese_words(file: Path) -> None:
    english, chinese = of("en", file), of("zh", file)
    assert set(english) <= set(chinese)
    plain = {path: text for path, text in chinese.items() if not CHINESE.search(text)}
    assert set(plain.values()) <= NAMES, plain


@pytest.mark.parametrize("page", sorted(HELP.glob("*.md")), ids=lambda path: path.stem)
def test_every_help_page_has_a_chinese_one(page: Path) -> None:
    chinese = (HELP / page.stem / "zh.md").read_text(encoding="utf-8")
    title, *_ = chinese.splitlines()
    node = json.loads((LOCALES / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))[page.stem]
    assert title == f"# {node['display_name']}"
    # Each of its items is told of, by the name that the widget has there.
    items = re.findall(r"^- \*\*", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(re.findall(r"^- \*\*", chinese, re.MULTILINE)) == len(items)


def test_every_word_of_a_template_has_chinese_words() -> None:
    """Titles, names of sockets, lines of apps, and every line of a note but names of files and what models read.

    The numbers are those of the English ones.
    """
    words = json.loads((ROOT / "js" / "templates.zh.json").read_text(encoding="utf-8"))
    for kind in ("titles", "slots", "lines"):
        assert words[kind]
        for english, chinese in words[kind].items():
            assert CHINESE.search(chinese), english
            assert re.findall(r"\d+", chinese) == re.findall(r"\d+", english), english
    assert len(words["notes"]) == len({path.stem for path in (ROOT / "workflows").glob("*.json")})
    for english, chinese in words["notes"].values():
        pairs = list(zip(english.split("\n"), chinese.split("\n"), strict=True))
        for line, said in pairs:
            assert CHINESE.search(said) or said == line, (line, said)
            if line.startswith("  - "):
                assert sorted(re.findall(r"\d+", said)) == sorted(re.findall(r"\d+", line))
        same = [line for line, said in pairs if line and said == line]
        assert all(line.startswith("- ") for line in same), same


def test_there_are_no_chinese_pages_of_nothing() -> None:
    assert {path.parent.name for path in HELP.glob("*/zh.md")} == {path.stem for path in HELP.glob("*.md")}
