"""The "Read me" of a workflow: what it is for, what comes out, what it needs. Every number is the graph's own or the plan's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reelpatch.recipes import Recipe
from reelpatch.windows.plan_windows import usual_overlap
from workflows.graph import Node
from workflows.needs import needs

WIDTH, HEIGHT = 360, 640
_MOST_EXAMPLES = 4


def note(title: str, recipe: Recipe, job: Node, models: Node, how: str = "") -> Node:
    """The note beside `job`, a subgraph's node; `how` says how to use a task or an enhancer."""
    asked = (
        ["## How", how] if how else ["## It knows", *(f"- {one}" for one in recipe.examples[:_MOST_EXAMPLES])]
    )
    is_part = "first_frame" in job.widgets
    whole_clip = not is_part and "fps" not in job.widgets and recipe.sharing is None
    text = "\n".join(
        [
            f"# {title}",
            "",
            f"{recipe.notes} {_settings(recipe)}",
            "",
            "## What comes out",
            _comes_out(recipe, job.widgets, whole_clip=whole_clip),
            "",
            *asked,
            "",
            "## What it needs",
            *needs(recipe, _what(recipe, is_part=is_part, whole_clip=whole_clip)),
            f"- Licence of the weights: **{recipe.licence}**, from {recipe.source}",
            "",
            *_files(recipe, models),
            r"Round brackets in a prompt are weights to ComfyUI: write \\( and \\) for others.",
        ]
    )
    return Node("MarkdownNote", "Read me", [], widgets={"": text}, width=WIDTH, height=HEIGHT)


def _what(recipe: Recipe, *, is_part: bool, whole_clip: bool) -> str:
    if recipe.picture is not None:
        return "picture"
    if recipe.sharing is not None and not is_part:
        return f"pair of {recipe.frames} frames"
    return f"window of {recipe.frames} frames" if whole_clip else f"run of {recipe.frames} frames"


def _settings(recipe: Recipe) -> str:
    guidance = "no guidance" if recipe.guidance.scale == 1 else f"guidance {recipe.guidance.scale:g}"
    steps = f"{recipe.num_run_steps} of {recipe.steps}" if recipe.enhances else f"{recipe.steps}"
    return f"The recipe *{recipe.name}*: {steps} steps, {guidance}."


def _comes_out(recipe: Recipe, widgets: Mapping[str, Any], *, whole_clip: bool) -> str:
    if recipe.picture is not None:
        return (
            f"The picture at its own size; all of it is worked on, at about as many pixels as {recipe.width}x{recipe.height} "
            "has. What a mask keeps are its own pixels."
        )
    if recipe.sharing is not None and "first_frame" not in widgets:
        return (
            f"Two clips of {recipe.frames} frames, {recipe.width}x{recipe.height}, at {recipe.fps:g} frames per second, without sound: the "
            "*source*, which shows its caption, and the *target*, which shows the other. Both are saved, each under its caption."
        )
    if whole_clip:
        size = "" if recipe.enhances else f", worked on at {recipe.width}x{recipe.height}"
        return (
            f"Every frame of the video, at its own size and rate, with its sound. Beyond {recipe.frames} frames it is done in "
            f"windows of {recipe.frames} that share {usual_overlap(recipe.frames, recipe.lattice)}{size}."
        )
    if "first_frame" in widgets:
        is_own = recipe.sharing is not None or any(file.unpublished or not file.url for file in recipe.files)
        whose = "as the recipe has it" if is_own else "as published"
        return (
            f"From frame {widgets['first_frame']} on, {widgets['frames'] or recipe.frames} frames at "
            f"{widgets['fps'] or recipe.fps:g} frames per second, {whose}: "
            "the result has those alone, at that rate and the video's own size, with the sound under them. Frame 0 "
            "is the video's first."
        )
    if not recipe.sees_clip:
        return f"A video of {recipe.frames} frames, {recipe.width}x{recipe.height}, at {recipe.fps:g} frames per second, without sound."
    return (
        f"At most {recipe.frames} frames, of at most as many pixels as {recipe.width}x{recipe.height} has, in one piece. The task says how much of a clip it "
        "uses up."
    )


def _files(recipe: Recipe, models: Node) -> Sequence[str]:
    """Each file with its link, below the folder of ComfyUI's that it belongs in."""
    if not models.models and not any(file.url for file in recipe.files):
        return []
    files = [f"- {model['directory']}/[{model['name']}]({model['url']})" for model in models.models]
    known = {model["name"] for model in models.models}
    names = [
        str(models.widgets[widget]) for widget in ("backbone", "edit_module") if widget in models.widgets
    ]
    made = [name for name in names if name not in known]
    for url in sorted({file.url for file in recipe.files if file.url.endswith(".pt")}):
        pickle = url.rsplit("/", 1)[-1]
        files.insert(
            0,
            f"- diffusion_models/{' and '.join(made)}: made of [{pickle}]({url}) by "
            f"`reelpatch convert {pickle} --out ComfyUI/models/diffusion_models`, or smaller with `--dtype fp8`",
        )
    for lora in (one for one in recipe.files if one.url.endswith(".ckpt")):
        files.insert(
            0,
            f"- {lora.folder}/{lora.names[1]}: made of [{lora.names[0]}]({lora.url}), which belongs in the same folder, by the node "
            "*Convert weights*",
        )
    return ["## Files, below ComfyUI/models", *files, ""]
