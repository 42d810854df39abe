"""Every shipped workflow through the real server's /prompt, rewritten to tiny weights."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.server import RUN_S, Server, running
from workflows.describe import paths
from workflows.templates import WORKFLOWS, Workflow

pytestmark = pytest.mark.host
TINY = {
    "ReelpatchLoadBackbone": {"file": "reelpatch_demo_t2v_bf16.safetensors"},
    "ReelpatchLoadEditModule": {"file": "reelpatch_demo_edit_module.safetensors"},
    "ReelpatchLoadLora": {"file": "reelpatch_demo_4step_lora.safetensors"},
    "VAELoader": {"vae_name": "reelpatch_demo_vae.safetensors"},
    "CLIPLoader": {"file": "reelpatch_demo_umt5.safetensors"},
    "ReelpatchClip": {"width": 32, "height": 32, "frames": 9, "first_frame": 0, "fps": 0.0},
    "ReelpatchEditLongClip": {"width": 32, "height": 32, "window_frames": 9},
    "ReelpatchEnhanceLongClip": {"window_frames": 9},
    "ReelpatchTask": {"width": 32, "height": 32, "frames": 9},
}
CLIP = {"LoadVideo": {"file": "clip.mp4"}}  # of edits; tasks have the material that comes along


def tiny(workflow: Workflow) -> dict[str, Any]:
    """The workflow as it is queued, with tiny weights in place of its own, and a tiny clip."""
    prompt = json.loads(paths(workflow)[1].read_text(encoding="utf-8"))
    for node in prompt.values():
        node["inputs"] |= (TINY if workflow.prepare else TINY | CLIP).get(node["class_type"], {})
        if node["class_type"] == "CLIPLoader":
            node["class_type"] = "ReelpatchDemoTextEncoder"
        if node["class_type"] == "ReelpatchRecipe":
            node["inputs"]["steps"] = min(node["inputs"]["steps"], 4)
    return prompt


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, models_folder: Path, clip_path: Path
) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("server")
    with running(base, models_folder) as started:
        (base / "input" / "clip.mp4").write_bytes(clip_path.read_bytes())
        yield started


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_a_shipped_workflow_runs(server: Server, workflow: Workflow, clip_path: Path) -> None:
    prompt = tiny(workflow)
    if "LoRA" in workflow.name or "local" in workflow.name:
        # The tiny LoRA is for the backbone alone; a second one on the module would be refused.
        prompt = without_second_lora(prompt)
    history = server.run(prompt)
    assert history["status"]["status_str"] == "success", told(history)
    shown = [file for output in history["outputs"].values() for file in output.get("images", [])]
    saved = [file for file in shown if file["type"] == "output"]
    assert saved, history["outputs"]
    assert (len(shown) > len(saved)) == bool(workflow.prepare), "a task is looked at before it is sampled"
    path = server.base / "output" / saved[0]["subfolder"] / saved[0]["filename"]
    made = path.read_bytes()
    assert made[4:8] == b"ftyp"
    assert made != clip_path.read_bytes()


def told(history: dict[str, Any]) -> str:
    """What a run that failed said."""
    return "; ".join(str(words.get("exception_message")) for _, words in history["status"]["messages"])


def without_second_lora(prompt: dict[str, Any]) -> dict[str, Any]:
    """The graph with the edit module's LoRA taken out and its links joined."""
    loras = [key for key, node in prompt.items() if node["class_type"] == "ReelpatchLoadLora"]
    out = next(key for key in loras if "model" not in prompt[key]["inputs"])
    module = prompt[out]["inputs"]["edit_module"]
    for node in prompt.values():
        node["inputs"] |= {name: module for name, value in node["inputs"].items() if value == [out, 1]}
    return {key: node for key, node in prompt.items() if key != out}


def test_the_templates_are_listed(server: Server) -> None:
    assert set(server.ask("/api/workflow_templates")["reelpatch"]) == {
        workflow.name for workflow in WORKFLOWS
    }


def test_a_missing_file_is_told_before_anything_runs(server: Server) -> None:
    prompt = tiny(WORKFLOWS[1])
    for node in prompt.values():
        if node["class_type"] == "ReelpatchLoadEditModule":
            node["inputs"]["file"] = "ditto_global_comfy.safetensors"
    answer = server.ask("/prompt", {"prompt": prompt})
    assert "https://huggingface.co/QingyanBai/Ditto_models" in json.dumps(answer["node_errors"]), answer


# One of each place where a run can be refused: a loader, the clip, the edit, the guider, and in mid-sampling.
REFUSED = {
    "another kind of file": (
        "ReelpatchLoadEditModule",
        {"file": "reelpatch_demo_t2v_bf16.safetensors"},
        "is a Wan text-to-video backbone",
    ),
    "a clip that begins after its end": ("ReelpatchClip", {"first_frame": 99}, "cannot begin at frame 99"),
    "start after end": ("ReelpatchApplyEdit", {"start": 0.9, "end": 0.1}, "the window goes from 0.9 to 0.1"),
    "steps in words": (
        "ReelpatchGuidanceSchedule",
        {"settings": None, "steps": "the first"},
        "'the first' in steps is neither",
    ),
    "more strengths than steps": (
        "ReelpatchLoadLora",
        {"by_step": ", ".join(["1"] * 20 + ["0"])},
        "21 strengths were given",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_queue_goes_on_after_a_refusal(server: Server, case: str) -> None:
    kind, inputs, words = REFUSED[case]
    prompt = tiny(WORKFLOWS[0])
    (node,) = (node for node in prompt.values() if node["class_type"] == kind)
    given = {**node["inputs"], **inputs}
    node["inputs"] = {name: value for name, value in given.items() if value is not None}
    history = server.run(prompt)
    assert history["status"]["status_str"] == "error"
    said = told(history)
    assert words in said, said
    assert "--" not in said, said
    assert server.run(tiny(WORKFLOWS[0]))["status"]["status_str"] == "success"


def test_a_run_can_be_stopped_and_the_next_one_is_whole(server: Server) -> None:
    prompt = tiny(WORKFLOWS[0])
    for node in prompt.values():
        if node["class_type"] == "ReelpatchRecipe":
            node["inputs"] |= {"recipe": "vace", "steps": 1000}
    answer = server.ask("/prompt", {"prompt": prompt})
    assert answer.get("node_errors") == {}, answer
    started = time.monotonic()
    while not server.ask("/queue")["queue_running"]:
        assert time.monotonic() < started + RUN_S
        time.sleep(0.2)
    time.sleep(2)
    server.post("/interrupt")
    history = server.ended(answer["prompt_id"])
    assert "execution_interrupted" in [kind for kind, _ in history["status"]["messages"]], history["status"]
    assert server.run(tiny(WORKFLOWS[0]))["status"]["status_str"] == "success"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
def test_memory_after_twenty_runs_is_that_after_two(server: Server) -> None:
    """Each with a seed of its own, so that everything from the sampler on runs anew."""
    used: list[int] = []
    for seed in range(20):
        prompt = tiny(WORKFLOWS[0])
        for node in prompt.values():
            node["inputs"] |= {name: 1000 + seed for name in ("seed", "noise_seed") if name in node["inputs"]}
        assert server.run(prompt)["status"]["status_str"] == "success"
        used.append(private_bytes(server.pid))
    assert used[-1] <= 1.01 * used[1], used


def private_bytes(pid: int) -> int:
    """Memory of a process that is no file's."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return 1024 * int(status.split("RssAnon:")[1].split()[0])
