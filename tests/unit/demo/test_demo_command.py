"""`make demo` as a person runs it first: every clip is edited, and both pictures are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reelpatch.headless.commands.main import DONE, main
from reelpatch.headless.demo.command import SHOWN


def test_the_demo_edits_every_clip_that_it_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path), "--json"]) == DONE
    report = json.loads(capsys.readouterr().out)
    assert len(report["edits"]) == len(SHOWN)
    assert [edit["instruction"] for edit in report["edits"] if not edit["done"]] == []
    for name in ("contact_sheet", "film"):
        assert Path(report[name]).stat().st_size > 10_000
    assert all(Path(edit["result"]).is_file() for edit in report["edits"])
