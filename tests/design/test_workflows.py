"""The shipped workflows: both forms agree, name every file, are the recipes' own settings, and say what is so."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.shown_edits import CIRCLE
from reelpatch.recipes import RECIPES
from tests.design.workflow_forms import forms, inputs, name_of, nodes_of, note_of
from workflows.apps import LONGEST_LINE, MOST_ASKED
from workflows.describe import APP, CHINESE, FOLDER, SHOWN, app_path, files, paths
from workflows.material_nodes import FIRST, FIRST_EDITED
from workflows.needs import download_gb
from workflows.picture import as_app
from workflows.templates import WORKFLOWS, Workflow

BY_NAME = {workflow.name: workflow for workflow in WORKFLOWS}
DITTO = [workflow for workflow in WORKFLOWS if workflow.name.startswith("Ditto")]
FOLLOWING = [workflow for workflow in WORKFLOWS if workflow.edited_frame]
VDOT = {
    workflow.name.split(" - ")[1]: workflow
    for workflow in WORKFLOWS
    if workflow.recipe == "vdot" and workflow not in FOLLOWING
}
CONVERTED = {"vdot_14b_base_bf16.safetensors", "vdot_14b_module_bf16.safetensors"}
MADE = CONVERTED | {"ReCo_ori_rank128-2025_m12_version.safetensors"}
PUBLISHED = BY_NAME["Ditto - restyle as published (first frame 1, 73 frames, 24 fps)"]
WHOLE = [workflow for workflow in WORKFLOWS if workflow.prepare is None and workflow is not PUBLISHED]
DEMO = WORKFLOWS[0]
LOADERS = (
    *("ReelpatchLoadModels", "ReelpatchLoadEnhancer", "ReelpatchLoadPictureModels"),
    *("ReelpatchLoadContextModels", "ReelpatchLoadChannelModels", "ReelpatchLoadPairModels"),
)
PICTURES = [workflow for workflow in WORKFLOWS if workflow.is_picture]
IN_CONTEXT = [workflow for workflow in WORKFLOWS if workflow.is_in_context]
EASYV2V = BY_NAME["EasyV2V - edit a video with your own adapter (50 steps)"]
DEMO_IN_CONTEXT = BY_NAME["Demo - edit in context on any machine"]
WITH_ADAPTER = (EASYV2V, DEMO_IN_CONTEXT)
MOST_NODES = 7
# Nodes with widgets of their own, beside the subgraph.
BEFORE_THE_EDIT = ("Load", "ReelpatchMaskTrack", "ReelpatchDittoStyle", "ReelpatchSeveral")


def test_files_are_what_is_described() -> None:
    assert {*FOLDER.glob("*.json"), *FOLDER.glob("api/*.json"), SHOWN, CHINESE} == set(files())
    for path, form in files().items():
        assert json.loads(path.read_text(encoding="utf-8")) == json.loads(json.dumps(form)), path.name


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_both_forms_have_the_same_nodes_and_values(workflow: Workflow) -> None:
    """That the front end queues the one as the other, links and all, is tested in the browser."""
    ui, api = forms(workflow)
    inside = {graph["id"]: graph for graph in ui["definitions"]["subgraphs"]}
    types: dict[str, str] = {}
    for node in (node for node in ui["nodes"] if node["type"] != "MarkdownNote"):
        parts = inside[node["type"]]["nodes"] if node["type"] in inside else []
        types |= {f"{node['id']}:{one['id']}": one["type"] for one in parts} or {
            str(node["id"]): node["type"]
        }
    assert {key: node["class_type"] for key, node in api.items()} == types
    for node in api.values():
        for value in node["inputs"].values():
            assert not isinstance(value, list) or value[0] in api
    ids = [node["id"] for graph in (ui, *inside.values()) for node in graph["nodes"]]
    assert len(ids) == len(set(ids)), "the front end would number them anew"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_every_node_says_where_it_and_its_files_come_from(workflow: Workflow) -> None:
    ui, _ = forms(workflow)
    own = {graph["id"] for graph in ui["definitions"]["subgraphs"]}
    for node in nodes_of(ui):
        is_ours = node["type"].startswith("Reelpatch") or node["type"] in own
        assert node["properties"]["cnr_id"] == ("reelpatch" if is_ours else "comfy-core")
        assert node["properties"]["ver"]
        names = {value for value in node["widgets_values"] if str(value).endswith(".safetensors")}
        models = node["properties"].get("models", [])
        if not workflow.recipe.startswith("demo"):
            assert {model["name"] for model in models} == names - MADE
        for model in models:
            assert model["url"].startswith("https://huggingface.co/")
            assert model["url"].endswith(model["name"])
    left = [group["bounding"][0] for group in ui["groups"]]
    assert left == sorted(left)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_there_is_little_to_look_at(workflow: Workflow) -> None:
    ui, _ = forms(workflow)
    assert sum(node["type"] != "MarkdownNote" for node in ui["nodes"]) <= MOST_NODES


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_as_an_app_it_asks_for_little_and_for_what_is_there(workflow: Workflow) -> None:
    apps = [app_path(workflow)] if workflow.is_app else []
    for path in (paths(workflow)[0], *apps):
        ui = json.loads(path.read_text(encoding="utf-8"))
        assert ui["extra"]["linearMode"] == (APP in path.name)
        asked, shown = (ui["extra"]["linearData"][side] for side in ("inputs", "outputs"))
        nodes = {str(node["id"]): node for node in ui["nodes"]}
        assert 2 <= len(asked) <= MOST_ASKED
        for key, widget, shown_as in asked:
            assert len(shown_as["description"]) <= LONGEST_LINE, "the page cuts it off"
            given = [one["name"] for one in nodes[key]["inputs"] if "widget" in one]
            assert widget in given or nodes[key]["type"].startswith(BEFORE_THE_EDIT)
        assert any(nodes[key]["type"] in ("SaveVideo", "SaveImage") for key in shown)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_every_setting_is_the_recipe_s(workflow: Workflow) -> None:
    (recipe,) = inputs(workflow, "ReelpatchRecipe")
    own = {
        "steps": 0,
        "shift": 0.0,
        "cfg": 0.0,
        "strength": 0.0,
        "frames": 0,
        "fps": 0.0,
        "guidance_steps": 0,
    }
    assert recipe == {"recipe": workflow.recipe, **own}
    (models,) = next(filter(None, (inputs(workflow, kind) for kind in LOADERS)))
    assert models["recipe"] == workflow.recipe
    (negative,) = (
        node["inputs"]["text"]
        for node in forms(workflow)[1].values()
        if node["_meta"]["title"] == "Negative prompt"
    )
    assert isinstance(negative, list), "the negative prompt comes from the recipe"


@pytest.mark.parametrize("workflow", WHOLE, ids=name_of)
def test_the_whole_clip_is_worked_on(workflow: Workflow) -> None:
    """No node that takes a part of it; the window is the recipe's length, by a link."""
    assert inputs(workflow, "ReelpatchClip") == []
    (work,) = inputs(workflow, "ReelpatchEditLongClip") or inputs(workflow, "ReelpatchEnhanceLongClip")
    assert isinstance(work["window_frames"], list)
    assert "Every frame of the video, at its own size and rate" in note_of(workflow)


def test_a_clip_follows_its_edited_frame_as_long_as_the_recipe_holds_it() -> None:
    """In every template that edits whole clips the number of frames comes with the recipe; two have a picture."""
    assert [workflow.recipe for workflow in FOLLOWING] == ["demo", "vdot"]
    for workflow in WHOLE:
        for work in inputs(workflow, "ReelpatchEditLongClip"):
            recipe, slot = work["held_frames"]
            settings = forms(workflow)[1][recipe]
            assert (settings["class_type"], slot) == ("ReelpatchRecipe", 9)
            assert ("edited_frame" in work) == (workflow in FOLLOWING)
    for workflow in FOLLOWING:
        _, api = forms(workflow)
        (work,) = inputs(workflow, "ReelpatchEditLongClip")
        picture, slot = work["edited_frame"]
        assert (api[picture]["class_type"], slot) == ("LoadImage", 0)
        assert api[picture]["inputs"]["image"] == FIRST_EDITED
        assert "it stays frame 0" in note_of(workflow)


def test_the_edited_frame_is_frame_0_of_the_clip_with_its_circle_blue() -> None:
    first, edited = (np.asarray(Image.open(FOLDER / name)).astype(int) for name in (FIRST, FIRST_EDITED))
    assert first.shape == edited.shape
    is_circle = scenes.coverage(CIRCLE)[0] > 0.99
    assert (edited[is_circle].argmax(-1) == 2).all()
    is_far = scenes.coverage(replace(CIRCLE, radius_px=CIRCLE.radius_px + 3))[0] == 0
    assert abs(first - edited)[is_far].mean() < 4  # what the clip's codec did


@pytest.mark.parametrize("workflow", PICTURES, ids=name_of)
def test_all_of_a_picture_is_worked_on(workflow: Workflow) -> None:
    """Its size, its frames and its sentence come from Picture by links; core's own nodes do the rest."""
    (picture,) = inputs(workflow, "ReelpatchPicture")
    assert (picture["width"], picture["height"], picture["reasoning_steps"]) == (0, 0, -1)
    (film,), (look,) = inputs(workflow, "WanImageToVideo"), inputs(workflow, "CLIPVisionEncode")
    assert all(isinstance(film[name], list) for name in ("width", "height", "length", "start_image"))
    assert look["crop"] == "center"
    assert isinstance(inputs(workflow, "CLIPTextEncode")[0]["text"], list)
    assert "The picture at its own size; all of it is worked on" in note_of(workflow)


def check_length_comes_with_the_recipe(workflow: Workflow) -> None:
    """So that another recipe changes how many frames are worked on, and at which rate."""
    _, api = forms(workflow)
    (clip,) = inputs(workflow, "ReelpatchClip")
    for name, place in {"width": 5, "height": 6, "frames": 7, "fps": 8}.items():
        node, slot = clip[name]
        assert (api[node]["class_type"], slot) == ("ReelpatchRecipe", place), name


@pytest.mark.parametrize("workflow", IN_CONTEXT, ids=name_of)
def test_the_part_that_is_edited_in_context_is_as_long_as_published(workflow: Workflow) -> None:
    """The prompt is made of the instruction, and every setting, the low-noise expert among them, comes by a link."""
    recipe = RECIPES[workflow.recipe]
    (clip,), (edit,), (guider,) = (
        inputs(workflow, kind)
        for kind in ("ReelpatchClip", "ReelpatchEditInContext", "ReelpatchGuidanceSchedule")
    )
    assert clip["first_frame"] == 0
    check_length_comes_with_the_recipe(workflow)
    assert (edit["recipe"], edit["instruction"]) == (workflow.recipe, workflow.instruction)
    assert workflow.instruction in recipe.examples
    assert isinstance(inputs(workflow, "CLIPTextEncode")[0]["text"], list)
    linked = (
        ("settings", "negative") if recipe.edit_kind.has_module else ("settings", "low_noise", "negative")
    )
    assert all(isinstance(guider[name], list) for name in linked)
    assert isinstance(edit.get("edit_module"), list) == recipe.edit_kind.has_module
    asked = forms(workflow)[0]["extra"]["linearData"]["inputs"]
    # An app asks for six things at most.
    own = (
        {"seed"} if workflow not in WITH_ADAPTER else {"image"} if workflow is EASYV2V else {"image", "track"}
    )
    assert {widget for _, widget, _ in asked} == {"file", "instruction", "recipe", "first_frame"} | own
    whose = "as the recipe has it" if workflow in WITH_ADAPTER else "as published"
    told = f"From frame 0 on, {recipe.frames} frames at {recipe.fps:g} frames per second, {whose}"
    assert told in note_of(workflow)


def test_what_goes_into_an_adapter_comes_by_links_and_the_note_says_whose_it_is() -> None:
    """Its VAE is Clip's too; the adapter is found by what it is, and every other file is named."""
    record = RECIPES["easyv2v"]
    (edit,), (clip,), (models,), (finish,) = (
        inputs(EASYV2V, kind)
        for kind in ("ReelpatchEditInContext", "ReelpatchClip", "ReelpatchLoadModels", "ReelpatchFinishClip")
    )
    assert all(isinstance(edit[name], list) for name in ("mask", "references", "edit_module"))
    assert edit["mask"] == finish["mask"]
    assert clip["vae"] == edit["vae"]
    assert all(isinstance(clip[name], list) for name in ("width", "height"))
    assert models["edit_module"] == "recipe"
    assert models["backbone"] == record.files_for("backbone")[0].names[0]
    note = note_of(EASYV2V)
    assert "EasyV2V's authors published no weights" in note
    assert "docs/files.md" in note
    assert "and a file of your own" in note
    assert "## Edit adapters" in (FOLDER.parent / "docs" / "files.md").read_text(encoding="utf-8")
    for workflow in IN_CONTEXT:
        assert ("mask" in inputs(workflow, "ReelpatchEditInContext")[0]) == (workflow in WITH_ADAPTER)


def test_the_published_numbers_are_a_preset_named_so() -> None:
    (clip,) = inputs(PUBLISHED, "ReelpatchClip")
    assert clip["first_frame"] == 1
    check_length_comes_with_the_recipe(PUBLISHED)
    record = RECIPES[PUBLISHED.recipe]
    assert (record.frames, record.fps) == (73, 24)
    assert "From frame 1 on, 73 frames at 24 frames per second" in note_of(PUBLISHED)


def test_ditto_is_run_as_its_workflow_has_it() -> None:
    record = RECIPES["ditto-global"]
    assert (record.steps, record.shift, record.guidance.scale, record.strength) == (4, 2.0, 1.2, 0.975)
    assert record.skip_layers is not None
    assert (record.skip_layers.blocks, record.skip_layers.start, record.skip_layers.end) == ((2,), 0.2, 0.7)
    assert (record.width, record.height, record.frames, record.fps) == (832, 480, 73, 24)
    for workflow in DITTO:
        (models,) = inputs(workflow, "ReelpatchLoadModels") or inputs(workflow, "ReelpatchLoadEnhancer")
        if "4 steps" in workflow.name:
            assert models["backbone"] == "Wan2_1-T2V-14B_fp8_e4m3fn.safetensors"
            assert models["lora"] == "Wan21_CausVid_14B_T2V_lora_rank32_v2.safetensors"
        assert models["text_encoder"] == "umt5_xxl_fp8_e4m3fn_scaled.safetensors"
    assert inputs(BY_NAME["Ditto - quality (50 steps)"], "ReelpatchLoadModels")[0]["lora"] == "recipe"
    (as_lora,) = inputs(BY_NAME["Ditto - as LoRA on a VACE module (4 steps)"], "ReelpatchLoadModels")
    assert (as_lora["edit_module"], as_lora["second_lora"]) == (
        "Wan2_1-VACE_module_14B_bf16.safetensors",
        "ditto_global.safetensors",
    )


def test_the_demo_needs_no_download() -> None:
    ui, _ = forms(DEMO)
    assert not any("models" in node["properties"] for node in nodes_of(ui))
    assert (FOLDER / inputs(DEMO, "LoadVideo")[0]["file"]).is_file()
    assert "Download: **nothing**" in note_of(DEMO)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_the_note_says_what_is_needed(workflow: Workflow) -> None:
    note, record = note_of(workflow), RECIPES[workflow.recipe]
    assert f"Licence of the weights: **{record.licence}**" in note
    if workflow.recipe.startswith("demo"):
        return
    assert f"Download: **{download_gb(record):.1f} GB" in note
    asked = forms(workflow)[0]["extra"]["linearData"]["inputs"]
    assert any(f"{download_gb(record):.1f} GB" in shown_as["description"] for *_, shown_as in asked)
    assert all(f"- {gigabytes} GB: " in note for gigabytes in (8, 12, 24))
    for node in nodes_of(forms(workflow)[0]):
        if node["type"].startswith("ReelpatchLoad"):
            assert all(model["url"] in note for model in node["properties"]["models"])


@pytest.mark.parametrize("workflow", VDOT.values(), ids=name_of)
def test_vdot_is_run_as_published_on_files_that_convert_makes(workflow: Workflow) -> None:
    record = RECIPES["vdot"]
    assert (record.steps, record.shift, record.guidance.scale, record.strength) == (4, 16.0, 1.0, 1.0)
    (apply,), (task,), (models,) = (
        inputs(workflow, kind) for kind in ("ReelpatchApplyEdit", "ReelpatchTask", "ReelpatchLoadModels")
    )
    assert all(isinstance(apply[name], list) for name in ("clip", "mask", "references", "strength"))
    assert all(isinstance(task[name], list) for name in ("width", "height", "frames"))
    assert task["sample"] == "first"
    assert {models["backbone"], models["edit_module"]} == CONVERTED
    assert "reelpatch convert vdot_14b.pt" in note_of(workflow)


@pytest.mark.parametrize(
    ("name", "task", "sockets"),
    [
        ("text and references", "reference", {"references", "fps"}),
        ("follow a control map", "control", {"task.clip", "fps"}),
        ("inpaint", "inpaint", {"task.clip", "task.mask"}),
        ("outpaint", "outpaint", {"task.clip"}),
        ("extend", "extend", {"task.first", "task.last", "fps"}),
        ("swap by mask and reference", "swap", {"task.clip", "task.mask", "references"}),
        ("try-on and character replacement", "control", {"task.clip", "task.mask", "references", "fps"}),
    ],
)
def test_each_task_gets_what_it_needs(name: str, task: str, sockets: set[str]) -> None:
    (given,) = inputs(VDOT[f"{name} (4 steps)"], "ReelpatchTask")
    assert given["task"] == task
    linked = {name for name, value in given.items() if isinstance(value, list)}
    assert linked == sockets | {"width", "height", "frames"}
    assert len(VDOT) == 7


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_its_material_comes_along(workflow: Workflow) -> None:
    kinds = {"LoadVideo": "file", "LoadImage": "image", "LoadImageMask": "image"}
    named = [one[widget] for kind, widget in kinds.items() for one in inputs(workflow, kind)]
    assert bool(named) != workflow.is_pair, "a pair is made of words alone"
    assert all((FOLDER / file).is_file() for file in named)


@pytest.mark.parametrize("workflow", [one for one in WORKFLOWS if one.is_app], ids=name_of)
def test_an_app_has_the_picture_of_its_template(workflow: Workflow) -> None:
    shown, marked = (Image.open(FOLDER / f"{stem}.jpg") for stem in (workflow.name, app_path(workflow).stem))
    assert shown.size == marked.size
    off = abs(np.asarray(as_app(shown)).astype(int) - np.asarray(marked))
    assert off.mean() < 2  # what JPEG loses, of 255


def test_no_two_templates_have_one_picture() -> None:
    pictures = [
        np.asarray(Image.open(FOLDER / f"{workflow.name}.jpg")).astype(int)[:300] for workflow in WORKFLOWS
    ]
    same = [
        (WORKFLOWS[one].name, WORKFLOWS[other].name)
        for one, other in combinations(range(len(pictures)), 2)
        if pictures[one].shape == pictures[other].shape and abs(pictures[one] - pictures[other]).mean() < 1
    ]
    assert not same


def test_every_template_has_a_picture() -> None:
    pictures = {path.stem for path in FOLDER.glob("*.jpg")}
    assert pictures == {path.stem for path in FOLDER.glob("*.json")}
