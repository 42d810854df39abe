"""What lasts is neither gone through while it is imported, nor later."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from reelpatch.headless.models.lasting_imports import lasting_imports


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that makes a thousand lists."""
    (tmp_path / "a_thousand_lists.py").write_text("LISTS = [[one] for one in range(1000)]\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "a_thousand_lists"
    sys.modules.pop("a_thousand_lists", None)


def test_what_is_imported_inside_is_left_alone(module: str) -> None:
    before = gc.get_freeze_count()
    with lasting_imports():
        assert not gc.isenabled()
        import_module(module)
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + 1000


def test_where_nothing_is_new_everything_else_is_gone_through_as_before() -> None:
    before = gc.get_freeze_count()
    with lasting_imports():
        import_module("json")
    assert gc.isenabled()
    assert gc.get_freeze_count() <= before


def test_who_collects_no_garbage_goes_on_so(module: str) -> None:
    gc.disable()
    try:
        with lasting_imports():
            import_module(module)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_module_that_is_not_there_changes_nothing() -> None:
    with pytest.raises(ModuleNotFoundError), lasting_imports():
        import_module("no_such_module")
    assert gc.isenabled()
