"""Batches through real ComfyUI servers: as headless, with a server killed, others in the queue, a login in front, and the page's examples."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from reelpatch.headless.commands.main import BAD_INPUT, DONE
from tests.forked import Running
from tests.host.server import ROOT, Server, running
from tests.unit.headless.runs.batch_jobs import Fields, batch, frames, material, report, states, write_jobs

pytestmark = pytest.mark.host
EDIT = "Demo - edit on any machine"
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def servers(
    stocked: Server, tmp_path_factory: pytest.TempPathFactory, models_folder: Path
) -> Iterator[tuple[Server, Server]]:
    """Two; the second is killed by the last test."""
    with running(tmp_path_factory.mktemp("two"), models_folder) as two:
        yield stocked, two


def jobs(number: int) -> list[Fields]:
    """Edits and enhancements by turns, each with a seed of its own."""
    found: list[Fields] = []
    for seed in range(number):
        one: Fields = {"verb": "edit", "instruction": "make it sepia" if seed % 2 else "make it blue"}
        if seed % 4 == 3:
            one = {"verb": "enhance"}
        found.append(one | {"clip": "ab"[seed % 2] + ".mp4", "seed": seed, "output": f"{seed}.mp4"})
    return found


def urls(servers: tuple[Server, ...]) -> str:
    return ",".join(one.url for one in servers)


def test_two_servers_make_what_one_s_own_machine_makes(
    servers: tuple[Server, Server], models_folder: Path, tmp_path: Path
) -> None:
    folder = material(tmp_path)
    exact = [job | {"lossless": True} for job in jobs(8)]
    path = write_jobs(folder / "jobs.jsonl", exact, models_folder)
    assert batch(path, "--comfyui", urls(servers)) == DONE
    made = report(path)["jobs"]
    assert {job["worker"] for job in made} == {one.url for one in servers}
    (folder / "here").mkdir()
    here = [job | {"output": f"here/{job['output']}"} for job in exact]
    assert batch(write_jobs(folder / "here.jsonl", here, models_folder)) == DONE
    for job in exact:
        ours, theirs = frames(folder / "here" / job["output"]), frames(folder / job["output"])
        # The hosts add up in other orders, so that a byte may be rounded otherwise.
        assert np.abs(ours.astype(int) - theirs).max() <= 1, job
    assert batch(path, "--comfyui", urls(servers)) == DONE
    assert states(path) == ["done before"] * 8


def test_others_in_the_queue_come_first(
    servers: tuple[Server, Server], models_folder: Path, tmp_path: Path
) -> None:
    """While somebody's job runs on one server and another is free, ours go to that."""
    busy, free = servers
    folder = material(tmp_path)
    (busy.base / "input" / "busy.mp4").write_bytes((folder / "b.mp4").read_bytes())
    prompt = json.loads((ROOT / "workflows" / "api" / f"{EDIT}.json").read_text(encoding="utf-8"))
    titles = {node["_meta"]["title"]: node["inputs"] for node in prompt.values()}
    titles["Video"]["file"], titles["Instruction"]["text"] = "busy.mp4", "make it blue"
    titles["Recipe"]["steps"] = 1000  # many, and on more pixels, so that it runs all the time
    titles["Edit long clip"] |= {"width": 128, "height": 128}
    other = busy.ask("/prompt", {"prompt": prompt})
    assert other.get("node_errors") == {}, other
    while not busy.ask("/queue")["queue_running"]:
        time.sleep(0.1)
    path = write_jobs(folder / "jobs.jsonl", jobs(3), models_folder)
    assert batch(path, "--comfyui", urls(servers)) == DONE
    assert [job["worker"] for job in report(path)["jobs"]] == [free.url] * 3
    assert busy.ask("/queue")["queue_running"], "the other's job was to run all the time"
    busy.post("/interrupt")
    busy.ended(other["prompt_id"])


def test_what_a_server_says_is_told_and_stops_no_other_job(
    servers: tuple[Server, Server], models_folder: Path, tmp_path: Path
) -> None:
    folder = material(tmp_path)
    by_places: Fields = {"verb": "workflow", "workflow": EDIT, "Video.file": "a.mp4"}
    (folder / "no_video.mp4").write_bytes(b"nothing")
    lines = [
        by_places | {"Instruction.text": "make it sepia", "output": "good.mp4"},
        by_places | {"Models.backbone": "nowhere.safetensors", "output": "1.mp4"},
        by_places | {"Video.file": "no_video.mp4", "output": "2.mp4"},
        by_places | {"Instruction.txt": "x", "output": "3.mp4"},
        by_places | {"Recipe.steps": "two", "output": "4.mp4"},
        by_places | {"Video.file": "gone.mp4", "output": "5.mp4"},
        by_places | {"workflow": "Demo - edit", "output": "6.mp4"},
        by_places | {"output": "7.mkv"},
        {"verb": "edit", "clip": "a.mp4", "instruction": "x", "when": "0-1", "output": "8.mp4"},
        {"verb": "task", "task": "inpaint", "prompt": "x", "output": "9.mp4"},
    ]
    path = write_jobs(folder / "jobs.jsonl", lines, models_folder)
    assert batch(path, "--comfyui", urls(servers)) == BAD_INPUT
    made = report(path)["jobs"]
    assert [job["state"] for job in made] == ["done", *["not done"] * 9]
    told = [
        "refuses the workflow: Models: ",
        "ComfyUI says: ",
        "no place 'Instruction.txt', did you mean 'Instruction.text'",
        "Recipe.steps is 'two', but its place takes a whole number",
        "gone.mp4 for Video.file is not there",
        "no workflow 'Demo - edit'",
        "does not end in .mp4",
        "its field when has no place in the workflow",
        "goes to no ComfyUI server",
    ]
    for job, words in zip(made[1:], told, strict=True):
        assert words in job["sentence"], job
    assert [one["worker"] for one in made[1]["tries"]] != [made[1]["worker"]], (
        "it was tried on the other server too"
    )


def test_a_login_in_front_takes_the_headers_of_a_file(
    servers: tuple[Server, Server], models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    folder = material(tmp_path)
    path = write_jobs(folder / "jobs.jsonl", jobs(1), models_folder)
    headers = tmp_path / "headers.txt"
    headers.write_text("Authorization: Bearer s3cret\nX-Studio: one\n")
    with closing(Login(servers[0].url, "s3cret")) as login:
        assert batch(path, "--comfyui", login.url) == BAD_INPUT
        assert "asks for a login (401): give its headers in a file with --headers" in capsys.readouterr().err
        assert batch(path, "--comfyui", login.url, "--headers", str(headers)) == DONE
    heard = capsys.readouterr()
    written = "".join(one.read_text(errors="replace") for one in (tmp_path / "jobs_report").glob("report.*"))
    assert "s3cret" not in heard.err + heard.out + written


class Login:
    """A proxy that asks each connection's first request for a token, and passes all else through."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._behind, self._token = (parts.hostname, parts.port), token.encode()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near:
            head = b""
            while b"\r\n\r\n" not in head and (part := near.recv(65536)):
                head += part
            if self._token not in head:
                near.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            with socket.create_connection(self._behind) as far:
                far.sendall(head)
                while True:
                    for ready in select.select([near, far], [], [])[0]:
                        if not (part := ready.recv(65536)):
                            return
                        (far if ready is near else near).sendall(part)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "http://127.0.0.1:9",
            "no server takes jobs: http://127.0.0.1:9 does not answer (Connection refused)",
        ),
        ("127.0.0.1:8188", "is no address of a ComfyUI server"),
        ("http://me:pw@127.0.0.1:9", "has a name or password in it"),
        ("http://127.0.0.1:9,http://127.0.0.1:9/", "a server is named twice"),
    ],
)
def test_addresses_that_are_none(
    address: str, said: str, models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    path = write_jobs(material(tmp_path) / "jobs.jsonl", jobs(1), models_folder)
    assert batch(path, "--comfyui", address) == BAD_INPUT
    heard = capsys.readouterr().err
    assert said in heard
    assert "pw@" not in heard


def test_the_examples_of_the_page_run(servers: tuple[Server, Server], tmp_path: Path) -> None:
    folder = material(tmp_path)
    shutil.copy(folder / "a.mp4", folder / "clip.mp4")
    (folder / "workflows").symlink_to(ROOT / "workflows")
    for name, kind, program in (
        ("blue.mp4", "python", [sys.executable]),
        ("sepia.mp4", "bash", ["bash", "-e"]),
    ):
        if kind == "bash" and not (shutil.which("jq") and shutil.which("curl")):
            continue
        (code,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        (folder / f"example.{kind}").write_text(code.replace("http://127.0.0.1:8188", servers[0].url))
        done = subprocess.run(
            [*program, f"example.{kind}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        assert len(frames(folder / name)) == 5
    (lines,) = re.findall(r"^```jsonl\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (folder / "jobs.jsonl").write_text(lines)
    for name in ("shots", "done"):
        (folder / name).mkdir()
    for name in ("a", "b"):
        shutil.copy(folder / f"{name}.mp4", folder / "shots")
    assert batch(folder / "jobs.jsonl", "--comfyui", servers[0].url) == DONE
    assert sorted(one.name for one in (folder / "done").iterdir()) == [
        "a_blue.mp4", "a_sepia.mp4", "a_steady.mp4", "b_sepia.mp4",
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_server_that_is_killed_leaves_every_job_done_once(
    servers: tuple[Server, Server], models_folder: Path, tmp_path: Path
) -> None:
    folder = material(tmp_path)
    mine = [job | {"steps": 30} if job["verb"] == "edit" else job for job in jobs(6)]
    path = write_jobs(folder / "jobs.jsonl", mine, models_folder)
    process = Running(lambda: batch(path, "--comfyui", urls(servers)))
    heard = ""
    for line in process.stderr:
        heard += line.decode()
        if f"{servers[1].url} begins line" in line.decode():
            break
    while not servers[1].ask("/queue")["queue_running"]:
        time.sleep(0.02)
    os.kill(servers[1].pid, signal.SIGKILL)
    heard += process.heard()
    assert process.wait() == DONE, heard
    made = report(path)["jobs"]
    assert [job["state"] for job in made] == ["done"] * 6
    (tried,) = [job for job in made if job["tries"]]
    assert (tried["tries"][0]["worker"], tried["worker"]) == (servers[1].url, servers[0].url)
    for job in mine:
        assert len(frames(folder / job["output"])) in (5, 9)
    assert not [one for one in folder.iterdir() if ".part" in one.name]
