"""The soak says by how much memory in use grows: not by edits, and by what is never freed."""

import json

import pytest

from benchmarks import soak

pytestmark = pytest.mark.skipif(
    not hasattr(soak.ctypes.CDLL(None), "mallinfo2"), reason="needs glibc's account of memory"
)


def test_edits_leave_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    code = soak.main(["--edits", "6", "--queued", "0"])
    report = json.loads(capsys.readouterr().out)
    assert report["edits"]["runs"] == 6
    assert report["edits"]["last_mib"] > 10  # the models are among what is in use
    assert code == 0, report


def test_what_is_never_freed_is_told() -> None:
    held: list[object] = []
    report = {"edits": soak.watch(lambda _number: held.append(leak()), 6, soak.in_use)}
    assert [sentence.split(" grew")[0] for sentence in soak.grown(report)] == [
        "edits: bytes",
        "edits: python_blocks",
    ]


def leak() -> object:
    """A twentieth of what is in use, of malloc and of Python."""
    found = soak.in_use()
    return bytearray(int(found["bytes"] / 20)), [[] for _ in range(int(found["python_blocks"] / 20))]


def test_too_few_runs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        soak.main(["--edits", "5"])
    assert "give 6 or more" in capsys.readouterr().err
