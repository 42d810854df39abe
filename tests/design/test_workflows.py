"""The shipped workflows: both forms agree, name every file, and hold the published settings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workflows.describe import FOLDER, graph, paths
from workflows.templates import WORKFLOWS, Workflow

DITTO = [workflow for workflow in WORKFLOWS if workflow.name.startswith("Ditto")]
FOUR_STEPS = [workflow for workflow in DITTO if "(4 steps)" in workflow.name and not workflow.is_long]
LONG, LONG_ENHANCE = (workflow for workflow in DITTO if workflow.is_long)
VDOT = {workflow.name.split(" - ")[1]: workflow for workflow in WORKFLOWS if workflow.recipe == "vdot"}
CONVERTED = {"vdot_14b_base_bf16.safetensors", "vdot_14b_module_bf16.safetensors"}
QUALITY = next(workflow for workflow in WORKFLOWS if "(50 steps)" in workflow.name)
DEMO = WORKFLOWS[0]


def name_of(workflow: Workflow) -> str:
    return workflow.name


def forms(workflow: Workflow) -> tuple[dict[str, Any], dict[str, Any]]:
    ui, api = (json.loads(path.read_text(encoding="utf-8")) for path in paths(workflow))
    return ui, api


def inputs(workflow: Workflow, kind: str) -> list[dict[str, Any]]:
    """The inputs of the nodes of a type, read from the file that is queued."""
    return [node["inputs"] for node in forms(workflow)[1].values() if node["class_type"] == kind]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_files_are_what_is_described(workflow: Workflow) -> None:
    assert list(forms(workflow)) == json.loads(json.dumps(graph(workflow)))


def test_there_are_no_others() -> None:
    for folder, index in ((FOLDER, 0), (FOLDER / "api", 1)):
        assert set(folder.glob("*.json")) == {paths(workflow)[index] for workflow in WORKFLOWS}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_both_forms_have_the_same_links_and_values(workflow: Workflow) -> None:
    ui, api = forms(workflow)
    links = {number: [str(origin), slot] for number, origin, slot, *_ in ui["links"]}
    for node in ui["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        queued = api[str(node["id"])]
        assert queued["class_type"] == node["type"]
        linked = {one["name"]: links[one["link"]] for one in node["inputs"] if one["link"] is not None}
        assert {name: value for name, value in queued["inputs"].items() if isinstance(value, list)} == linked
        plain = [value for value in queued["inputs"].values() if not isinstance(value, list)]
        kept = list(node["widgets_values"])
        names = [name for name, value in queued["inputs"].items() if not isinstance(value, list)]
        if "seed" in names:  # the browser keeps behind it what becomes of it after a run
            assert kept.pop(names.index("seed") + 1) == "fixed"
        assert kept[: len(plain)] == plain
        for slot, output in enumerate(node["outputs"]):
            sent = [number for number, origin, at, *_ in ui["links"] if (origin, at) == (node["id"], slot)]
            assert (output["links"] or []) == sent


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_every_node_says_where_it_and_its_files_come_from(workflow: Workflow) -> None:
    ui, _ = forms(workflow)
    for node in ui["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        is_ours = node["type"].startswith("Reelpatch")
        assert node["properties"]["cnr_id"] == ("reelpatch" if is_ours else "comfy-core")
        assert node["properties"]["ver"]
        names = [value for value in node["widgets_values"] if str(value).endswith(".safetensors")]
        models = node["properties"].get("models", [])
        if not workflow.recipe.startswith("demo"):
            assert [model["name"] for model in models] == [name for name in names if name not in CONVERTED]
        for model in models:
            assert model["url"].startswith("https://huggingface.co/")
            assert model["directory"] in (
                "diffusion_models",
                "loras",
                "vae",
                "text_encoders",
                "geometry_estimation",
            )
    left = [group["bounding"][0] for group in ui["groups"]]
    assert left == sorted(left)
    assert any("Licence" in str(node["widgets_values"]) for node in ui["nodes"])


def test_a_long_video_is_edited_with_the_same_settings_in_windows_of_ditto_s_length() -> None:
    (recipe,), (edit,) = (inputs(LONG, kind) for kind in ("ReelpatchRecipe", "ReelpatchEditLongClip"))
    assert recipe == {"recipe": "ditto-global", "steps": 4, "shift": 2.0, "cfg": 1.2}
    assert (edit["strength"], edit["start"], edit["end"]) == (0.975, 0.0, 1.0)
    assert (edit["window_frames"], edit["width"], edit["height"]) == (73, 832, 480)
    assert "mask" not in edit
    assert {"guidance", "sampler", "sigmas", "negative"} <= set(edit)


def test_a_long_video_is_enhanced_in_windows_of_the_enhancer_s_length() -> None:
    (enhance,) = inputs(LONG_ENHANCE, "ReelpatchEnhanceLongClip")
    (short,) = inputs(next(one for one in DITTO if one.name == "Ditto - enhance a video"), "ReelpatchEnhance")
    assert (enhance["recipe"], enhance["last_steps"]) == (short["recipe"], short["last_steps"])
    assert (enhance["window_frames"], enhance["overlap"]) == (73, 0)
    assert {"positive", "negative", "video"} <= set(enhance)


@pytest.mark.parametrize("workflow", FOUR_STEPS, ids=name_of)
def test_four_steps_are_as_ditto_s_workflow_has_them(workflow: Workflow) -> None:
    (recipe,), (apply,), (guider,) = (
        inputs(workflow, kind)
        for kind in ("ReelpatchRecipe", "ReelpatchApplyEdit", "ReelpatchGuidanceSchedule")
    )
    assert recipe == {"recipe": "ditto-global", "steps": 4, "shift": 2.0, "cfg": 1.2}
    assert (apply["strength"], apply["start"], apply["end"]) == (0.975, 0.0, 1.0)
    assert "mask" not in apply
    assert "references" not in apply
    assert (guider["cfg"], guider["steps"]) == (1.2, "")
    assert (guider["skip_blocks"], guider["skip_start"], guider["skip_end"]) == ("2", 0.2, 0.7)
    (clip,) = inputs(workflow, "ReelpatchClip")
    assert (clip["width"], clip["height"], clip["frames"], clip["first_frame"]) == (832, 480, 73, 1)
    assert clip["fps"] == 24.0
    (backbone,) = inputs(workflow, "ReelpatchLoadBackbone")
    assert backbone["file"] == "Wan2_1-T2V-14B_fp8_e4m3fn.safetensors"
    causvid, *_ = inputs(workflow, "ReelpatchLoadLora")
    assert causvid["file"] == "Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors"
    assert causvid["strength"] == 1.0
    _, negative = inputs(workflow, "CLIPTextEncode")
    assert negative["text"].startswith(
        "flickering artifact, jpg artifacts, compression, distortion, morphing"
    )
    assert negative["text"].endswith("glitch, extra limbs,")


def test_the_quality_path_is_as_the_script_has_it() -> None:
    (recipe,), (apply,), (guider,), (clip,) = (
        inputs(QUALITY, kind)
        for kind in ("ReelpatchRecipe", "ReelpatchApplyEdit", "ReelpatchGuidanceSchedule", "ReelpatchClip")
    )
    assert recipe == {"recipe": "ditto-quality", "steps": 50, "shift": 5.0, "cfg": 5.0}
    assert apply["strength"] == 1.0
    assert (guider["cfg"], guider["skip_blocks"]) == (5.0, "")
    assert (clip["width"], clip["height"], clip["frames"], clip["fps"]) == (832, 480, 73, 20.0)
    assert (inputs(QUALITY, "RandomNoise")[0]["noise_seed"], inputs(QUALITY, "ReelpatchLoadLora")) == (1, [])
    assert inputs(QUALITY, "CLIPTextEncode")[1]["text"].startswith("色调艳丽")


def test_the_demo_needs_no_download() -> None:
    ui, _ = forms(DEMO)
    assert not any("models" in node["properties"] for node in ui["nodes"])
    assert (FOLDER / inputs(DEMO, "LoadVideo")[0]["file"]).is_file()


@pytest.mark.parametrize("workflow", VDOT.values(), ids=name_of)
def test_vdot_is_run_as_published_on_files_that_convert_makes(workflow: Workflow) -> None:
    (recipe,), (apply,), (guider,), (task,) = (
        inputs(workflow, kind)
        for kind in ("ReelpatchRecipe", "ReelpatchApplyEdit", "ReelpatchGuidanceSchedule", "ReelpatchTask")
    )
    assert recipe == {"recipe": "vdot", "steps": 4, "shift": 16.0, "cfg": 1.0}
    assert (apply["strength"], apply["start"], apply["end"]) == (1.0, 0.0, 1.0)
    assert all(isinstance(apply[name], list) for name in ("clip", "mask", "references"))
    assert "negative" not in guider
    assert len(inputs(workflow, "CLIPTextEncode")) == 1
    assert (task["width"], task["height"], task["frames"], task["sample"]) == (832, 480, 81, "first")
    loaders = inputs(workflow, "ReelpatchLoadBackbone") + inputs(workflow, "ReelpatchLoadEditModule")
    assert {loader["file"] for loader in loaders} == CONVERTED
    assert inputs(workflow, "ReelpatchLoadLora") == []
    ui, _ = forms(workflow)
    note = next(node for node in ui["nodes"] if node["type"] == "MarkdownNote")["widgets_values"][0]
    assert "reelpatch convert vdot_14b.pt" in note
    assert "34.7 GB" in note


@pytest.mark.parametrize(
    ("name", "task", "sockets"),
    [
        ("text and references", "reference", {"references"}),
        ("follow a control map", "control", {"task.clip", "fps"}),
        ("inpaint", "inpaint", {"task.clip", "task.mask"}),
        ("outpaint", "outpaint", {"task.clip"}),
        ("extend", "extend", {"task.first", "task.last"}),
        ("swap by mask and reference", "swap", {"task.clip", "task.mask", "references"}),
        ("try-on and character replacement", "control", {"task.clip", "task.mask", "references", "fps"}),
    ],
)
def test_each_task_gets_what_it_needs(name: str, task: str, sockets: set[str]) -> None:
    (given,) = inputs(VDOT[f"{name} (4 steps)"], "ReelpatchTask")
    assert given["task"] == task
    assert {name for name, value in given.items() if isinstance(value, list)} == sockets
    assert len(VDOT) == 7


@pytest.mark.parametrize("workflow", VDOT.values(), ids=name_of)
def test_its_material_comes_along(workflow: Workflow) -> None:
    kinds = {"LoadVideo": "file", "LoadImage": "image", "LoadImageMask": "image"}
    files = [one[widget] for kind, widget in kinds.items() for one in inputs(workflow, kind)]
    assert files
    assert all((FOLDER / file).is_file() for file in files)
