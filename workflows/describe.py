"""The shipped workflows, described once; `python -m workflows.describe` writes their UI and API files.

What a method fixes is read from its recipe. Files are named with where they are published, so that ComfyUI offers to
download what is missing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reelpatch.recipes import RECIPES, Recipe
from workflows.apps import asked
from workflows.beside_nodes import Several, several_results
from workflows.chinese_lines import chinese_line, chinese_slot
from workflows.chinese_notes import chinese_note
from workflows.chinese_titles import chinese_title
from workflows.edit_subgraphs import (
    BEFORE,
    EDITED_FRAME,
    GREEN,
    RED,
    VIOLET,
    edit_subgraph,
    enhance_subgraph,
    published_subgraph,
)
from workflows.graph import Node, Output, Stage, build
from workflows.material_nodes import load_image, load_video
from workflows.notes import note
from workflows.pair_subgraph import SOURCE, TARGET, name_of
from workflows.recipe_nodes import NAME
from workflows.result_nodes import compare, save_image, save_video
from workflows.task_graphs import Prepared
from workflows.task_subgraph import TO_LOOK_AT
from workflows.templates import WORKFLOWS, Workflow
from workflows.track_nodes import mask_track

FOLDER = Path(__file__).parent
APP = ".app"
_USUAL_PX, _LOW_PX = 330, 200  # of a result; where it stands under edit and comparison
SHOWN = FOLDER.parent / "js" / "templates.json"  # what the page has to know of them
CHINESE = FOLDER.parent / "js" / "templates.zh.json"


def graph(workflow: Workflow, *, as_app: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """The UI and the API form of a workflow. As an app its UI form opens as a page to fill in."""
    recipe = RECIPES[workflow.recipe]
    prepared = workflow.prepare(recipe, workflow.name) if workflow.prepare else _clip(workflow, recipe)
    job = prepared.task
    assert job.inside is not None
    shown = _results(workflow, prepared)
    stages = _stages(workflow, recipe, prepared, shown)
    models = next(node for node in job.inside.nodes if node.type.startswith("ReelpatchLoad"))
    ui, api = build(stages, [note(workflow.title, recipe, job, models, workflow.how)])
    ui["id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"reelpatch/{workflow.name}{APP if as_app else ''}"))
    results = [node for node in shown if node.type != "PreviewImage"]
    ui["extra"] = {
        "linearMode": as_app,
        "linearData": {"inputs": asked(prepared, recipe), "outputs": [str(node.id) for node in results]},
    }
    return ui, api


def _stages(workflow: Workflow, recipe: Recipe, prepared: Prepared, shown: list[Node]) -> list[Stage]:
    """What is given, what stands between that and the edit, the edit, and its results."""
    material = "1 Material" if len(prepared.material) > 1 or workflow.prepare else "1 Video"
    before = [
        *([Stage(material, GREEN, prepared.material)] if prepared.material else []),
        *([Stage(_between(workflow), GREEN, prepared.between)] if prepared.between else []),
    ]
    return [*before, *_last_stages(workflow, recipe, prepared, shown, len(before) + 1)]


def _last_stages(
    workflow: Workflow, recipe: Recipe, prepared: Prepared, shown: list[Node], first: int
) -> list[Stage]:
    """The edit and its results; under each other beside an editor, so that all of it can be read on a small screen."""
    if _has_editor(prepared):
        return [Stage(f"{first} Edit", VIOLET, [prepared.task, *shown])]
    results = [Stage(f"{first + 1} Result", RED, shown)]
    if workflow.is_pair:  # too tall for one column
        results = [Stage(f"{first + 1} Result", RED, shown[:1]), Stage(f"{first + 2} Saved", RED, shown[1:])]
    return [Stage(f"{first} {_work(workflow, recipe)}", VIOLET, [prepared.task]), *results]


def _between(workflow: Workflow) -> str:
    if workflow.beside is not None:
        return f"2 {workflow.beside.title}"
    return "2 Where and when" if workflow.track else "2 Prepared"


def _work(workflow: Workflow, recipe: Recipe) -> str:
    if workflow.is_picture or workflow.is_of_a_part:
        return "Edit"
    if workflow.is_pair:
        return "Pair"
    return "Task" if workflow.prepare else "Enhance" if recipe.enhances else "Edit"


def _clip(workflow: Workflow, recipe: Recipe) -> Prepared:
    """A clip that is edited by instruction, or enhanced: all of it, or the published part."""
    video = load_video("Video", workflow.clip)
    if recipe.enhances:
        inside = enhance_subgraph(recipe, workflow.instruction, owner=workflow.name)
    elif workflow.first_frame is None:
        inside = edit_subgraph(recipe, workflow.instruction, owner=workflow.name, own=workflow.own)
    else:
        inside = published_subgraph(recipe, workflow.instruction, workflow.first_frame, owner=workflow.name)
    material, between, widgets = [video], list[Node](), [(video, "file")]
    sockets = {"video": video["VIDEO"]}
    if workflow.edited_frame:
        frame = load_image("Frame 0 as it is to become", workflow.edited_frame)
        sockets[EDITED_FRAME] = frame["IMAGE"]
        material.append(frame)
        widgets.append((frame, "image"))
    if workflow.beside is not None:
        added = workflow.beside.nodes(video["VIDEO"])
        between += added.nodes
        sockets |= added.links
        widgets += added.asked
    if workflow.track:
        track = mask_track(video["VIDEO"], workflow.track)
        sockets["mask"] = track["mask"]
        between.append(track)
        widgets.append((track, "track"))
    return Prepared(material, inside.node(sockets), between, widgets)


def _results(workflow: Workflow, prepared: Prepared) -> list[Node]:
    if workflow.is_picture:
        made, before = prepared.task["IMAGE"], prepared.material[0]["IMAGE"]
        return [compare(before, made), save_image(made, prepared.task[NAME])]
    if workflow.is_pair:
        return _both(prepared.task)
    made = prepared.task["VIDEO"]
    if isinstance(workflow.beside, Several):
        return several_results(made, prepared.between[0])
    before, height_px = _before(workflow, prepared), _LOW_PX if _has_editor(prepared) else _USUAL_PX
    saved = save_video(made, prepared.task[NAME], height_px)
    if before is None and not RECIPES[workflow.recipe].sees_clip:
        return [saved]
    if before is None:
        return [saved, _look(prepared.task[TO_LOOK_AT])]
    return [compare(before, made), saved]


def _has_editor(prepared: Prepared) -> bool:
    """Whether an editor as large as its clip takes up most of the screen."""
    return any(node.type == "ReelpatchMaskTrack" for node in prepared.between)


def _before(workflow: Workflow, prepared: Prepared) -> Output | None:
    """What the result is compared with; nothing where a task makes a clip of stills, or of none."""
    if workflow.is_part:
        return prepared.task[BEFORE]
    return prepared.material[0]["VIDEO"] if workflow.prepare is None else prepared.before


def _both(pair: Node) -> list[Node]:
    """Both clips of a pair: beside each other, and saved one by one; to who asks for one result it is the target."""
    source = save_video(pair[SOURCE], pair[name_of(SOURCE)], title="Source")
    target = save_video(pair[TARGET], pair[name_of(TARGET)])
    return [compare(pair[SOURCE], pair[TARGET]), source, target]


def _look(images: Output) -> Node:
    return Node(
        "PreviewImage",
        "What the model gets (gray is made up)",
        [("images", "IMAGE")],
        sockets={"images": "IMAGE"},
        links={"images": images},
        height=280,
    )


def order() -> list[str]:
    """The names of templates and apps in the order that people see them in; an app stands behind its template."""
    return [
        name
        for workflow in WORKFLOWS
        for name in (workflow.name, *([app_path(workflow).stem] if workflow.is_app else []))
    ]


def write() -> None:
    """Writes every workflow's files."""
    for path, form in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(form, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def files() -> dict[Path, dict[str, Any]]:
    """What is in each file."""
    forms: dict[Path, dict[str, Any]] = {SHOWN: {"order": order()}}
    for workflow in WORKFLOWS:
        forms |= dict(zip(paths(workflow), graph(workflow), strict=True))
        if workflow.is_app:
            forms[app_path(workflow)] = graph(workflow, as_app=True)[0]
    return {**forms, CHINESE: in_chinese(one for path, one in forms.items() if path.parent == FOLDER)}


def in_chinese(forms: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What the page puts in the place of English words where its language is Chinese; notes by the graphs' numbers."""
    notes: dict[str, list[str]] = {}
    titles, slots, lines = set[str](), set[str](), set[str]()
    for ui in forms:
        (words,) = (node["widgets_values"][0] for node in ui["nodes"] if node["type"] == "MarkdownNote")
        notes[ui["id"]] = [words, chinese_note(words)]
        for one in (ui, *ui["definitions"]["subgraphs"]):
            titles |= {thing["title"] for thing in (*one["nodes"], *one["groups"])}
        for one in ui["definitions"]["subgraphs"]:
            slots |= {slot["name"] for slot in (*one["inputs"], *one["outputs"])}
        lines |= {shown["description"] for *_, shown in ui["extra"]["linearData"]["inputs"]}
    return {
        "titles": {title: chinese_title(title) for title in sorted(titles)},
        "slots": {name: chinese_slot(name) for name in sorted(slots)},
        "lines": {line: chinese_line(line) for line in sorted(lines)},
        "notes": notes,
    }


def paths(workflow: Workflow) -> tuple[Path, Path]:
    """Where the UI and the API form of a workflow are."""
    name = f"{workflow.name}.json"
    return FOLDER / name, FOLDER / "api" / name


def app_path(workflow: Workflow) -> Path:
    """Where its app is, if it has one."""
    return FOLDER / f"{workflow.name}{APP}.json"


if __name__ == "__main__":
    write()
