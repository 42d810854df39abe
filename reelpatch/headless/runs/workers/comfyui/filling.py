"""Jobs as filled workflows: a line names the places itself, or says what `edit` and `enhance` take and the recipe's workflow is filled."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.runs.request import EditRequest, EnhanceRequest, size_for
from reelpatch.headless.runs.workers.comfyui.shipped import (
    Prompt,
    is_link,
    names,
    place_named,
    places,
    shipped,
    title_of,
)
from reelpatch.media.clip_size import clip_size
from reelpatch.recipes import RECIPES

_PLACES = {
    "instruction": ("Instruction.text", "Edit in context.instruction", "Picture.instruction"),
    "caption": ("What the video shows.text",),
    "seed": ("Edit long clip.seed", "Enhance long clip.seed", "Noise.noise_seed"),
    "guidance": ("Recipe.cfg",),
    "guidance-steps": ("Recipe.guidance_steps",),
    "half-size-steps": ("Edit long clip.half_size_steps",),
    "strength": ("Recipe.strength",),
    "fit": ("Edit long clip.fit", "Enhance long clip.fit", "Clip.fit"),
    "window-frames": ("Edit long clip.window_frames", "Enhance long clip.window_frames"),
    "overlap": ("Edit long clip.overlap", "Enhance long clip.overlap"),
    "accept-damage": ("Edit long clip.accept_damage", "Enhance long clip.accept_damage"),
    "lossless": ("Edit long clip.lossless", "Enhance long clip.lossless"),
    "skip-hints": ("Edit long clip.skip_hints",),
    "times-in-result": ("Edit long clip.times_in_result",),
    "grow": ("Edit long clip.grow", "Finish clip.grow"),
    "feather": ("Edit long clip.feather", "Finish clip.feather"),
    "blend": ("Edit long clip.blend", "Finish clip.blend"),
    "match": ("Edit long clip.match", "Finish clip.match"),
    "match-frames": ("Edit long clip.match_frames", "Finish clip.match_frames"),
}
"""Fields of jobs, and where they go in the workflow of their recipe: the first of these places that it has."""
_STEPS = {"edit": ("Recipe.steps",), "enhance": ("Enhance long clip.last_steps",)}
_OF_THE_MACHINE = {
    *("models", "device", "dtype", "vram-limit", "no-text-cache", "fp8-matmul", "vae-dtype", "verb"),
    *("output", "out", "recipe", "workflow"),
}
"""What the servers have of their own, and what is used up before."""
VERBS = ("edit", "enhance", "workflow")


@dataclass(frozen=True)
class FilledWorkflow:
    """A workflow with the values of a job. `files` go to (node, input) when they are uploaded.

    `recipe` is that of the workflow, by which servers keep models loaded.
    """

    workflow: str
    prompt: Prompt
    files: tuple[tuple[str, str, Path], ...]
    target: Path
    recipe: str = ""
    instruction: str = ""

    @property
    def clip(self) -> Path | None:
        """The first file that it works on."""
        return self.files[0][2] if self.files else None

    @property
    def inputs(self) -> list[tuple[str, Path]]:
        """Every file that is read, with what it is called."""
        return [(f"{title_of(self.prompt[node])}.{name}", path) for node, name, path in self.files]


def fill(workflow: str, values: Mapping[str, Any], target: Path, at: "Path") -> FilledWorkflow:
    """A workflow by its name, with values for its places; files begin at the folder `at`.

    Raises: `BadInput` for places that it does not have, and values of another type.
    """
    prompt = shipped(workflow)
    found = {name: place_named(prompt, name) for name in values}
    for name, place in found.items():
        prompt[place.node]["inputs"][place.name] = _like(name, values[name], place.value)
    files = tuple(
        (place.node, place.name, at / Path(str(values[name])).expanduser())
        for name, place in found.items()
        if place.file
    )
    return _filled(workflow, prompt, files, target)


def fill_as(verb: str, given: Mapping[str, Any], request: EditRequest | EnhanceRequest) -> FilledWorkflow:
    """The workflow of a recipe with what a job of `edit` or `enhance` says in its fields `given`, of which `request` was made.

    Raises: `BadInput` for a recipe without a workflow, and for fields that its workflow has no place for.
    """
    workflow = str(given.get("workflow") or _workflow_of(verb, request.recipe))
    prompt = shipped(workflow)
    values = {name: value for name, value in given.items() if name not in (*_OF_THE_MACHINE, "clip", "size")}
    for name, value in (values | {"seed": request.seed}).items():
        node, key = _place_for(verb, name, prompt, workflow)
        before = prompt[node]["inputs"][key]
        prompt[node]["inputs"][key] = value if is_link(before) else _like(name, value, before)
    _fit(prompt, request, workflow)
    video = next((place for place in places(prompt) if place.file == "video"), None)
    if video is None:
        raise BadInput(f"the workflow {workflow!r} takes no video: name another in the field workflow.")
    return _filled(workflow, prompt, ((video.node, video.name, request.clip),), request.target)


def _fit(prompt: Prompt, request: EditRequest | EnhanceRequest, workflow: str) -> None:
    """Has a clip worked on at the size, and fitted in the way, that the verb would."""
    for node in prompt.values():
        inputs = node["inputs"]
        if node["class_type"] in ("ReelpatchEditLongClip", "ReelpatchEnhanceLongClip"):
            settings = RECIPES[request.recipe]
            clip = clip_size(request.clip)[1] if settings.buckets is not None else (0, 0)
            size = size_for(request.size, request.fit, settings, clip)
            inputs["fit"] = request.fit or "none"
            inputs["height"], inputs["width"] = size or (0, 0)
            return
    if request.size is not None:
        raise BadInput(
            f"its field size has no place in the workflow {workflow!r}: leave it out, or name another in the field workflow."
        )


def _workflow_of(verb: str, recipe: str) -> str:
    """The first that loads the recipe and takes nothing but a video."""
    for name in names():
        prompt = shipped(name)
        files = [place.file for place in places(prompt) if place.file]
        made = _recipe_of(prompt) == recipe and files == ["video"]
        if made and not any(node["class_type"] == "ReelpatchMaskTrack" for node in prompt.values()):
            return name
    raise BadInput(
        f"no workflow with a video alone has the recipe {recipe!r}, so that no server can {verb} by it: name one in the "
        "field workflow; `reelpatch workflows` lists them."
    )


def _place_for(verb: str, name: str, prompt: Prompt, workflow: str) -> tuple[str, str]:
    wanted = _STEPS[verb] if name == "steps" else _PLACES.get(name, ())
    for place in wanted:
        title, _, key = place.partition(".")
        for number, node in prompt.items():
            if title_of(node) == title and key in node["inputs"]:
                return number, key
    raise BadInput(
        f"its field {name} has no place in the workflow {workflow!r}: leave it out, name another in the field workflow, or "
        "run the job without --comfyui."
    )


def _filled(
    workflow: str, prompt: Prompt, files: tuple[tuple[str, str, Path], ...], target: Path
) -> FilledWorkflow:
    told = next(
        (place.value for place in places(prompt) if str(place) in _PLACES["instruction"]),
        "",
    )
    return FilledWorkflow(workflow, deepcopy(prompt), files, target, _recipe_of(prompt), str(told))


def _recipe_of(prompt: Prompt) -> str:
    found = (node["inputs"].get("recipe") for node in prompt.values())
    return next((name for name in found if isinstance(name, str)), "")


def _like(name: str, value: Any, before: Any) -> Any:
    """A value as the type of the one that it replaces. Raises: `BadInput` where it is none of that type."""
    try:
        if isinstance(before, bool):
            return {"true": True, "false": False}[str(value).lower()]
        if isinstance(before, int) and not isinstance(value, bool | float):
            return int(value)
        if isinstance(before, float) and not isinstance(value, bool):
            return float(value)
        if isinstance(before, str) and isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value)
    except (ValueError, TypeError, KeyError):
        pass
    kinds = ((bool, "true or false"), (int, "a whole number"), (float, "a number"))
    kind = next((words for known, words in kinds if isinstance(before, known)), "a text")
    raise BadInput(f"the field {name} is {str(value)[:40]!r}, but its place takes {kind}: correct it.")
