"""One run owns an output: others get a sentence, and what a run that died left is no hindrance."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, main
from reelpatch.media import output_lock
from reelpatch.media.output_lock import lock_path, owned_output

# Says what came of it, and keeps what it has until its input ends.
OWNER = """
import sys
from pathlib import Path
from reelpatch.errors import BadInput
from reelpatch.media.output_lock import owned_output
try:
    with owned_output(Path(sys.argv[1])):
        print("mine", flush=True)
        sys.stdin.read()
except BadInput as error:
    print(error, flush=True)
"""


def start(target: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", OWNER, str(target)], stdin=pipe, stdout=pipe, text=True)


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextmanager
def another_owner(target: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(target)
    try:
        assert answer(process) == "mine"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [2, 4])
def test_of_processes_at_once_one_has_the_output(number: int, tmp_path: Path) -> None:
    target = tmp_path / "x.mp4"
    processes = [start(target) for _ in range(number)]
    answers = [answer(process) for process in processes]
    for process in processes:
        process.communicate()
    assert answers.count("mine") == 1
    owner = processes[answers.index("mine")].pid
    for refused in set(answers) - {"mine"}:
        assert refused.startswith(f"the output {target} is being made by another run")
        # In its first moment, a lock does not say yet whose it is.
        assert "(process" not in refused or f"(process {owner} on " in refused
        assert refused.endswith("wait for it, stop it, or name another output.")
    assert list(tmp_path.iterdir()) == []


def test_one_output_has_one_lock_by_whatever_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    with another_owner(tmp_path / "x.mp4"):
        for path in (Path("x.mp4"), tmp_path / "link" / "x.mp4"):
            with pytest.raises(BadInput, match="is being made by another run"), owned_output(path):
                pass
        with owned_output(Path("y.mp4")):
            pass


@pytest.mark.parametrize(
    "command",
    [
        ["edit", "clip.mp4", "make it sepia", "--output"],
        ["enhance", "clip.mp4", "--out"],
        ["task", "reference", "a ball", "--reference", "x.png", "--output"],
    ],
)
@pytest.mark.parametrize("name", ["x.mp4", "frames", f"{'長' * 80}.mkv"])
def test_every_verb_is_told_who_has_its_output(
    command: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / name
    with another_owner(target) as owner:
        assert main([*command, str(target), "--json"]) == BAD_INPUT
    said = json.loads(capsys.readouterr().out)["error"]
    assert f"the output {target} is being made by another run (process {owner.pid} on " in said
    assert said.endswith("name another output (--output).")


def test_what_a_killed_run_left_is_taken_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    target = tmp_path / "x.mp4"
    with another_owner(target) as owner:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert lock_path(target).exists()
        with caplog.at_level("INFO", logger="reelpatch"), owned_output(target):
            assert json.loads(lock_path(target).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", ["", "{", "[1]", '{"host": 5}'])
def test_a_lock_that_says_nothing_is_taken_over(
    left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_lock, "WATCH_S", 0.01)
    lock_path(tmp_path / "x.mp4").write_text(left)
    with owned_output(tmp_path / "x.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_run_on_another_machine_is_seen_by_what_it_touches(
    is_alive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a shared folder, whose locks hold on one machine alone."""
    target = tmp_path / "x.mp4"
    path = lock_path(target)
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "started": "today", "command": "reelpatch"}))
    monkeypatch.setattr(output_lock, "WATCH_S", 0.2)

    def passes(_: float) -> None:
        if is_alive:
            os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
        monkeypatch.setattr(output_lock, "WATCH_S", 0)

    monkeypatch.setattr(output_lock.time, "sleep", passes)
    if is_alive:
        with (
            pytest.raises(BadInput, match=r"process 7 on elsewhere since today: reelpatch"),
            owned_output(target),
        ):
            pass
        assert path.exists()
        return
    with owned_output(target):
        pass
    assert not path.exists()


def test_an_owner_touches_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_lock, "BEAT_S", 0.001)
    path = lock_path(tmp_path / "x.mp4")
    with owned_output(tmp_path / "x.mp4"):
        os.utime(path, (0, 0))
        for _ in range(10_000):
            if path.stat().st_mtime_ns:
                break
            output_lock.time.sleep(0.001)
        assert path.stat().st_mtime_ns > 0


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(BadInput, match=r"the folder .*none of the output does not exist"),
        owned_output(tmp_path / "none" / "x.mp4"),
    ):
        pass
