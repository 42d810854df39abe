"""Every shipped workflow through the real server's /prompt, rewritten to tiny weights."""

from __future__ import annotations

import json
import re
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reelpatch.recipes import RECIPES
from tests.design.workflow_forms import note_of
from tests.host.film_facts import check_note, compared, facts, recorded
from tests.host.server import RUN_S, Server
from tests.host.tiny_prompt import (
    FILES,
    in_known_words,
    tiny_in_context,
    tiny_picture,
    without_sam3,
)
from tests.unit.media.test_clip_matrix import film
from workflows.beside_nodes import MaskByWord, Several
from workflows.blueprints import blueprints
from workflows.describe import app_path, paths
from workflows.graph import Stage, build
from workflows.material_nodes import load_video
from workflows.result_nodes import save_video
from workflows.templates import WORKFLOWS, Workflow

pytestmark = pytest.mark.host
PUBLISHED = "Ditto - restyle as published (first frame 1, 73 frames, 24 fps)"
FOR_PICTURES = [workflow for workflow in WORKFLOWS if workflow.is_picture]
IN_CONTEXT = [workflow for workflow in WORKFLOWS if workflow.is_in_context]
# Core knows HunyuanVideo-1.5's files by their full size alone, so that Capybara's template is not run.
OF_REFERENCES = [one for one in WORKFLOWS if one.prepare is not None and not RECIPES[one.recipe].sees_clip]
FOR_CLIPS = [
    one
    for one in WORKFLOWS
    if not (one.is_picture or one.is_of_a_part or one.is_pair or one in OF_REFERENCES)
]
OF_STILLS = {"VDOT - text and references (4 steps)", "VDOT - extend (4 steps)"}
NOT_COMPARED = {*OF_STILLS, "Demo - several instructions and seeds"}
OLDER = Path(__file__).parent / "older"
TINY = {
    "ReelpatchLoadBackbone": {"file": "reelpatch_demo_t2v_bf16.safetensors"},
    "ReelpatchLoadEditModule": {"file": "reelpatch_demo_edit_module.safetensors"},
    "ReelpatchLoadLora": {"file": "reelpatch_demo_4step_lora.safetensors"},
    "VAELoader": {"vae_name": "reelpatch_demo_vae.safetensors"},
    "CLIPLoader": {"file": "reelpatch_demo_umt5.safetensors"},
    "ReelpatchClip": {"width": 32, "height": 32, "frames": 9, "first_frame": 0, "fps": 0.0},
    "ReelpatchTask": {"width": 32, "height": 32, "frames": 9},
}
CLIP = {"LoadVideo": {"file": "clip.mp4"}}  # of edits; tasks have the material that comes along


def tiny(workflow: Workflow) -> dict[str, Any]:
    """The workflow as it is queued, by the demo's recipe, which brings tiny weights and sizes, and with a tiny clip."""
    prompt = json.loads(paths(workflow)[1].read_text(encoding="utf-8"))
    recipe = "demo-enhance" if RECIPES[workflow.recipe].enhances else "demo"
    for node in prompt.values():
        given = node["inputs"]
        given |= {} if workflow.prepare else CLIP.get(node["class_type"], {})
        given |= {"recipe": recipe} if "recipe" in given else {}
        given |= {name: "recipe" for name in FILES if isinstance(given.get(name), str)}
    return in_known_words(without_sam3(prompt))


def older(name: str) -> dict[str, Any]:
    """A prompt that a user saved in API form from a template of an older version, with tiny weights and a tiny clip."""
    prompt = json.loads((OLDER / f"{name}.json").read_text(encoding="utf-8"))
    for node in prompt.values():
        node["inputs"] |= (TINY if "ReelpatchTask" in str(prompt) else TINY | CLIP).get(
            node["class_type"], {}
        )
        if node["class_type"] == "CLIPLoader":
            node["class_type"] = "ReelpatchDemoTextEncoder"
    return in_known_words(prompt)


@pytest.fixture(scope="module")
def server(stocked: Server, clip_path: Path) -> Server:
    (stocked.base / "input" / "clip.mp4").write_bytes(clip_path.read_bytes())
    return stocked


@pytest.mark.parametrize("workflow", FOR_PICTURES, ids=lambda workflow: workflow.name)
def test_a_shipped_workflow_for_pictures_runs(server: Server, workflow: Workflow) -> None:
    history = server.run(tiny_picture(workflow))
    assert history["status"]["status_str"] == "success", told(history)
    (saved,) = (file for output in history["outputs"].values() for file in output.get("images", []))
    with Image.open(server.base / "output" / saved["subfolder"] / saved["filename"]) as made:
        assert (saved["type"], made.size) == ("output", (64, 64))


@pytest.mark.parametrize("workflow", [*IN_CONTEXT, *OF_REFERENCES], ids=lambda workflow: workflow.name)
def test_a_shipped_workflow_in_context_runs(server: Server, workflow: Workflow) -> None:
    history = server.run(tiny_in_context(workflow))
    assert history["status"]["status_str"] == "success", told(history)
    shown = [file for output in history["outputs"].values() for file in output.get("images", [])]
    (saved,) = (file for file in shown if file["type"] == "output")
    assert shown == [saved]  # what the model gets is the clip, or references alone
    made = facts(server.base / "output" / saved["subfolder"] / saved["filename"])
    assert made.frames == 9
    if workflow in OF_REFERENCES:
        check_note(workflow, made, server.base / "input")


@pytest.mark.parametrize("workflow", FOR_CLIPS, ids=lambda workflow: workflow.name)
def test_a_shipped_workflow_runs(server: Server, workflow: Workflow, clip_path: Path) -> None:
    history = server.run(tiny(workflow))
    assert history["status"]["status_str"] == "success", told(history)
    shown = [file for output in history["outputs"].values() for file in output.get("images", [])]
    saved = [file for file in shown if file["type"] == "output"]
    assert saved, history["outputs"]
    is_looked_at = workflow.name in OF_STILLS or isinstance(workflow.beside, MaskByWord)
    assert (len(shown) > len(saved)) == is_looked_at, "a task on stills and a mask are looked at"
    films = [server.base / "output" / one["subfolder"] / one["filename"] for one in saved]
    films = [path for path in films if path.suffix == ".mp4"]
    assert len(saved) - len(films) == isinstance(workflow.beside, Several), (
        "several edits are saved as a sheet"
    )
    loaded = [one["inputs"] for one in tiny(workflow).values() if one["class_type"] == "LoadVideo"]
    source = server.base / "input" / (loaded[0]["file"] if loaded else "")
    for path in films:
        made = path.read_bytes()
        assert made[4:8] == b"ftyp"
        assert made != clip_path.read_bytes()
        check_note(workflow, facts(path), source)
        record = recorded(path)
        assert (record["frames"], tuple(record["size"])) == (facts(path).frames, facts(path).size)
        assert (record.get("seed"), record.get("seeds")) in ((1, None), (None, "1-2"))
        assert record["recipe"] in ("demo", "demo-enhance")
        assert compared(history) == ([] if workflow.name in NOT_COMPARED else [facts(path)[:3]])


def told(history: dict[str, Any]) -> str:
    """What a run that failed said."""
    return "; ".join(str(words.get("exception_message")) for _, words in history["status"]["messages"])


@pytest.mark.parametrize("name", sorted(path.stem for path in OLDER.glob("*.json")))
def test_a_prompt_of_an_older_version_still_runs(server: Server, name: str) -> None:
    history = server.run(older(name))
    assert history["status"]["status_str"] == "success", told(history)


def test_the_templates_are_listed(server: Server) -> None:
    names = {workflow.name for workflow in WORKFLOWS}
    apps = {app_path(workflow).stem for workflow in WORKFLOWS if workflow.is_app}
    assert set(server.ask("/api/workflow_templates")["reelpatch"]) == names | apps


def test_the_blueprints_are_listed(server: Server) -> None:
    listed = server.ask("/global_subgraphs")
    ours = {
        one["name"]: key
        for key, one in listed.items()
        if one["info"]["node_pack"] == "custom_nodes.reelpatch"
    }
    assert set(ours) == {one.name for one in blueprints()}
    for name, key in ours.items():
        (subgraph,) = json.loads(server.ask(f"/global_subgraphs/{key}")["data"])["definitions"]["subgraphs"]
        assert subgraph["name"] == name


@pytest.mark.parametrize("name", ["Edit video by instruction", "Enhance video", "VACE task - inpaint"])
def test_a_blueprint_runs_with_the_demo_s_recipe(server: Server, name: str) -> None:
    """Nothing but the recipe is chosen: files, size, length and all settings come with it."""
    (subgraph,) = (one for one in blueprints() if one.name == name)
    node = subgraph.node({"video": load_video("Video", "clip.mp4")["VIDEO"]})
    node.widgets["recipe"] = "demo-enhance" if name == "Enhance video" else "demo"
    if name.startswith("VACE"):
        node.widgets["boxes"] = "4,4,16,16"
    shown = [node.links["video"].node, node, save_video(node["VIDEO"], "blueprint")]
    _, prompt = build([Stage("", "", shown)])
    history = server.run(in_known_words(prompt))
    assert history["status"]["status_str"] == "success", told(history)


def test_a_mask_by_a_word_lacks_nothing_but_its_weights(server: Server) -> None:
    """Every node, input and link of it is one that the server takes; only the file of SAM3 is not there."""
    (workflow,) = (one for one in WORKFLOWS if isinstance(one.beside, MaskByWord))
    prompt = json.loads(paths(workflow)[1].read_text(encoding="utf-8"))
    (loader,) = (key for key, node in prompt.items() if node["class_type"] == "CheckpointLoaderSimple")
    for node in prompt.values():
        given = node["inputs"]
        given |= {"recipe": "demo"} if "recipe" in given else {}
        given |= {name: "recipe" for name in FILES if isinstance(given.get(name), str)}
    answer = server.ask("/prompt", {"prompt": prompt})
    assert set(answer["node_errors"]) == {loader}, answer
    (error,) = answer["node_errors"][loader]["errors"]
    assert error["extra_info"]["input_name"] == "ckpt_name"


def test_missing_files_are_told_before_anything_runs(server: Server) -> None:
    prompt = json.loads(
        paths(next(one for one in WORKFLOWS if one.recipe == "ditto-global"))[1].read_text(encoding="utf-8")
    )
    answer = server.ask("/prompt", {"prompt": prompt})
    assert "https://huggingface.co/QingyanBai/Ditto_models" in json.dumps(answer["node_errors"]), answer
    prompt = older("demo_edit")
    for node in prompt.values():
        if node["class_type"] == "ReelpatchLoadEditModule":
            node["inputs"]["file"] = "ditto_global_comfy.safetensors"
    answer = server.ask("/prompt", {"prompt": prompt})
    assert "https://huggingface.co/QingyanBai/Ditto_models" in json.dumps(answer["node_errors"]), answer


@pytest.mark.parametrize("name", ["steps", "skip_blocks"])
def test_text_that_is_no_number_is_refused_though_a_recipe_stands_in_for_it(
    server: Server, name: str
) -> None:
    prompt = older("demo_edit")
    (node,) = (node for node in prompt.values() if node["class_type"] == "ReelpatchGuidanceSchedule")
    assert isinstance(node["inputs"]["settings"], list)
    node["inputs"][name] = "foo"
    answer = server.ask("/prompt", {"prompt": prompt})
    assert f"'foo' in {name} is neither a number" in json.dumps(answer["node_errors"]), answer


@pytest.mark.parametrize("name", ["Demo - edit on any machine", PUBLISHED])
def test_what_a_note_says_comes_out(server: Server, name: str) -> None:
    """Size, frames, rate and sound of the file that is made, by the words of the note, for a clip of 30 frames."""
    workflow = next(one for one in WORKFLOWS if one.name == name)
    source = server.base / "input" / "sounding.mp4"
    film(source, Fraction(8), 30, (48, 40), has_sound=True, turn=0)
    prompt = tiny(workflow)
    for node in prompt.values():
        given = node["inputs"]
        given |= {"file": source.name} if node["class_type"] == "LoadVideo" else {}
        given |= {"width": 32, "height": 32} if "width" in given else {}  # worked on at less, for the time
        if (
            node["class_type"] == "ReelpatchRecipe"
        ):  # the demo's takes the place of the template's, whose length is typed
            record = RECIPES[workflow.recipe]
            given |= {"frames": record.frames, "fps": float(record.fps)}
    history = server.run(prompt)
    assert history["status"]["status_str"] == "success", told(history)
    (save,) = (key for key, node in prompt.items() if node["class_type"] == "SaveVideo")
    (saved,) = history["outputs"][save]["images"]
    made = facts(server.base / "output" / saved["subfolder"] / saved["filename"])
    note = note_of(workflow)
    given = facts(source)
    if "Every frame of the video, at its own size and rate, with its sound" in note:
        assert made == given
        return
    said = re.search(r"From frame (\d+) on, (\d+) frames at (\d+) frames per second", note)
    assert said is not None
    _, frames, rate = map(int, said.groups())
    assert (made.frames, made.rate, made.size) == (frames, rate, given.size)
    assert made.sound_s == pytest.approx(made.frames / rate, abs=0.1)  # to a tenth; a frame of AAC has 0.02 s


# One of each place where a run can be refused: a loader, the clip, the edit, and in mid-sampling.
REFUSED = {
    "another kind of file": (
        "ReelpatchLoadEditModule",
        {"file": "reelpatch_demo_t2v_bf16.safetensors"},
        "is a Wan text-to-video backbone",
    ),
    "a clip that begins after its end": ("ReelpatchClip", {"first_frame": 99}, "cannot begin at frame 99"),
    "start after end": ("ReelpatchApplyEdit", {"start": 0.9, "end": 0.1}, "the window goes from 0.9 to 0.1"),
    "more strengths than steps": (
        "ReelpatchLoadLora",
        {"by_step": ", ".join(["1"] * 20 + ["0"])},
        "21 strengths were given",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_queue_goes_on_after_a_refusal(server: Server, case: str) -> None:
    kind, inputs, words = REFUSED[case]
    prompt = older("demo_edit")
    (node,) = (node for node in prompt.values() if node["class_type"] == kind)
    given = {**node["inputs"], **inputs}
    node["inputs"] = {name: value for name, value in given.items() if value is not None}
    history = server.run(prompt)
    assert history["status"]["status_str"] == "error"
    said = told(history)
    assert words in said, said
    assert "--" not in said, said
    assert server.run(older("demo_edit"))["status"]["status_str"] == "success"


def test_a_run_can_be_stopped_and_the_next_one_is_whole(server: Server) -> None:
    prompt = older("demo_edit")
    for node in prompt.values():
        if node["class_type"] == "ReelpatchRecipe":
            node["inputs"] |= {"recipe": "vace", "steps": 1000}
    answer = server.ask("/prompt", {"prompt": prompt})
    assert answer.get("node_errors") == {}, answer
    started = time.monotonic()
    # A run that is only about to begin takes no notice: it is told again until it has ended.
    while not server.ask(f"/history/{answer['prompt_id']}"):
        assert time.monotonic() < started + RUN_S
        if server.ask("/queue")["queue_running"]:
            server.post("/interrupt")
        time.sleep(1)
    history = server.ended(answer["prompt_id"])
    assert "execution_interrupted" in [kind for kind, _ in history["status"]["messages"]], history["status"]
    assert server.run(older("demo_edit"))["status"]["status_str"] == "success"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
def test_memory_after_twenty_runs_is_that_after_two(server: Server) -> None:
    """Each with a seed of its own, so that everything from the sampler on runs anew."""
    used: list[int] = []
    for seed in range(20):
        prompt = older("demo_edit")
        for node in prompt.values():
            node["inputs"] |= {name: 1000 + seed for name in ("seed", "noise_seed") if name in node["inputs"]}
        assert server.run(prompt)["status"]["status_str"] == "success"
        used.append(private_bytes(server.pid))
    assert used[-1] <= 1.01 * used[1], used


def private_bytes(pid: int) -> int:
    """Memory of a process that is no file's."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return 1024 * int(status.split("RssAnon:")[1].split()[0])
