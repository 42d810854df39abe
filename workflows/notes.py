"""The "Read me" of a workflow: what it is for, how large, and which files it needs."""

from __future__ import annotations

from collections.abc import Sequence

from reelpatch.recipes import Recipe
from workflows.graph import Node


def note(title: str, recipe: Recipe, loaders: Sequence[Node], how: str = "") -> Node:
    """The note of a workflow; `how` says how to use a task or an enhancer, without it a clip is edited by
    instruction."""
    result = (
        "The task says how much of it a clip uses up."
        if how and not recipe.enhances
        else "The result has the clip's own size, rate and sound."
    )
    text = "\n".join(
        [
            f"# {title}",
            "",
            recipe.notes,
            "",
            f"Made for {recipe.width}x{recipe.height}, {recipe.frames} frames at {recipe.fps:g} fps, "
            f"{recipe.steps} steps. {result}",
            "",
            *(
                ["## How", how]
                if how
                else ["## Instructions it knows", *(f"- {example}" for example in recipe.examples)]
            ),
            "",
            "ComfyUI reads round brackets in a prompt as weights: put a backslash before those that are meant as such.",
            "",
            "## Files (in ComfyUI's models folder)",
            *(_files(recipe, loaders) or ["- none to download: the demo's weights come with Reelpatch"]),
            "",
            f"Licence of the weights: **{recipe.licence}**. Source: {recipe.source}",
        ]
    )
    return Node("MarkdownNote", "Read me", [], widgets={"": text}, width=480, height=620)


def _files(recipe: Recipe, loaders: Sequence[Node]) -> list[str]:
    files = [
        f"- **{model['directory']}/{model['name']}**: [download]({model['url']})"
        for node in loaders
        for model in node.models
    ]
    pickles = {file.url for file in recipe.files if file.url.endswith(".pt")}
    made = [str(node.widgets["file"]) for node in loaders if "file" in node.widgets and not node.models]
    for url in sorted(pickles):
        name = url.rsplit("/", 1)[-1]
        files.insert(
            0,
            f"- **diffusion_models/{made[0]}** and **{made[1]}**: made of [{name}]({url}) by "
            f"`reelpatch convert {name} --out ComfyUI/models/diffusion_models`, or smaller with `--dtype fp8`",
        )
    return files
