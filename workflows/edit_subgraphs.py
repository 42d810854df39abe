"""The main jobs as one node each: edit a video, edit a part of it as a method was published, enhance a video."""

from __future__ import annotations

from typing import Any, NamedTuple

from reelpatch.recipes import Recipe
from workflows.graph import SEED_CONTROL, Node, Output, Stage
from workflows.recipe_nodes import (
    NAME,
    Files,
    Sampled,
    apply_edit,
    finish,
    load_models,
    recipe_node,
    result_name,
    sampling,
    texts,
)
from workflows.subgraph import BLUEPRINT, Subgraph, boundary

BLUE, GREEN, GOLD, VIOLET, RED = "#3f789e", "#3f7a4f", "#8a7434", "#6b4f8f", "#8a4040"
EDIT, PUBLISHED, ENHANCE = "Edit video by instruction", "Edit video as published", "Enhance video"
MASKS = "MASK,VIDEO"
EDITED_FRAME = "edited frame 0"
BEFORE = "before"
"""The part of a video that was edited, as it was."""
EDIT_DESCRIPTION = (
    "Edits a whole video by an instruction: every frame, at the video's own size, rate and sound, in windows where it is "
    "long. The recipe brings its models and all settings along; a strength of 0 is the recipe's. A mask (an image, or a "
    "video of the same length) says where to edit. Frame 0, edited as a picture, is kept, and the rest of the video follows it."
)
PUBLISHED_DESCRIPTION = (
    "Edits a part of a video by an instruction with the length and rate that a method was published with: from a first "
    "frame on, so many frames, at so many frames per second."
)
ENHANCE_DESCRIPTION = (
    "Steadies and sharpens a whole video without editing it: every frame, at the video's own size and rate, in windows "
    "where it is long. More last steps change more; 0 is the recipe's."
)


def edit_subgraph(
    recipe: Recipe, instruction: str, *, owner: str = BLUEPRINT, own: Files | None = None
) -> Subgraph:
    """The whole clip, in windows as long as the recipe was made for."""
    given = boundary(
        *(("video", "VIDEO"), ("mask", MASKS), ("references", "REELPATCH_REFERENCES")),
        (EDITED_FRAME, "IMAGE"),
        *(("instruction", "STRING"), ("recipe", "COMBO"), ("strength", "FLOAT"), ("seed", "INT")),
    )
    models = load_models(recipe, given["recipe"], own, names_files=owner != BLUEPRINT)
    settings = recipe_node(recipe, given["recipe"], given["strength"])
    words = _texts(given["instruction"], instruction, "Instruction", models, settings)
    called = result_name(given["video"], given["instruction"], instruction)
    work = _edit_long_clip(recipe, given, models, settings, words)
    work.links["filename_prefix"] = called["kept name"]
    return Subgraph(
        EDIT,
        EDIT_DESCRIPTION,
        given,
        {"instruction": instruction, "recipe": recipe.name, "strength": 0.0, "seed": 1},
        {"VIDEO": work["VIDEO"], NAME: called[NAME]},
        _stages(models, settings, words, Stage("3 Edit", VIOLET, [called, work])),
        owner=owner,
        search=("ditto", "vace", "instruction", "restyle", "video to video", "inpaint"),
    )


def published_subgraph(recipe: Recipe, instruction: str, first_frame: int, *, owner: str) -> Subgraph:
    """A part of the clip at the length and rate that the method was made for, sampled at once."""
    given = boundary(
        *(("video", "VIDEO"), ("instruction", "STRING"), ("recipe", "COMBO"), ("first_frame", "INT")),
        *(("frames", "INT"), ("fps", "FLOAT"), ("strength", "FLOAT"), ("seed", "INT")),
    )
    models = load_models(recipe, given["recipe"], names_files=owner != BLUEPRINT)
    settings = recipe_node(recipe, given["recipe"], given["strength"], **length(given))
    words = _texts(given["instruction"], instruction, "Instruction", models, settings)
    clip = part_of_video(recipe, given, settings, first_frame)
    apply = apply_edit(recipe, models, settings, {"clip": clip["clip"]})
    last = ending(Sampled.of(apply, words, settings), settings, models, clip, given, instruction)
    return Subgraph(
        PUBLISHED,
        PUBLISHED_DESCRIPTION,
        given,
        {
            "instruction": instruction,
            "recipe": recipe.name,
            **part_from(first_frame),
            "strength": 0.0,
            "seed": 1,
        },
        last.outputs,
        _stages(models, settings, words, Stage("3 Clip and edit", GREEN, [clip, apply]), *last.stages),
        owner=owner,
        search=("ditto", "73 frames", "vace"),
    )


class Ending(NamedTuple):
    """The last stages of a subgraph, and what comes out of it."""

    stages: list[Stage]
    outputs: dict[str, Output]


def ending(shown: Sampled, settings: Node, models: Node, clip: Node, given: Node, text: str) -> Ending:
    """Sampling, and the part of a video that it gives, named after the instruction."""
    run = sampling(shown, settings, given["seed"])
    mask = given["mask"] if "mask" in dict(given.outputs) else None
    result = finish(run[-1]["output"], models["VAE"], clip["clip"], mask)
    called = result_name(given["video"], given["instruction"], text)
    stages = [Stage("4 Sampling", VIOLET, run), Stage("5 Result", RED, [called, result])]
    outputs = {"VIDEO": result["video"], NAME: called[NAME], BEFORE: clip["clip"]}
    return Ending(stages, outputs)


def enhance_subgraph(recipe: Recipe, text: str, *, owner: str = BLUEPRINT) -> Subgraph:
    """The whole clip once more through the last steps of a schedule."""
    given = boundary(
        *(("video", "VIDEO"), ("what it shows", "STRING"), ("recipe", "COMBO"), ("last_steps", "INT")),
        ("seed", "INT"),
    )
    work = _enhance_long_clip(recipe, given)
    called = result_name(given["video"], None, "enhanced")
    work.links["filename_prefix"] = called["kept name"]
    models, settings = (
        load_models(recipe, given["recipe"], names_files=owner != BLUEPRINT),
        recipe_node(recipe, given["recipe"]),
    )
    words = _texts(given["what it shows"], text, "What the video shows", models, settings)
    work.links |= {
        **{"model": models["MODEL"], "vae": models["VAE"], "window_frames": settings["frames"]},
        **dict(zip(("positive", "negative"), (one["CONDITIONING"] for one in words), strict=True)),
    }
    return Subgraph(
        ENHANCE,
        ENHANCE_DESCRIPTION,
        given,
        {"what it shows": text, "recipe": recipe.name, "last_steps": 0, "seed": 1},
        {"VIDEO": work["VIDEO"], NAME: called[NAME]},
        _stages(models, settings, words, Stage("3 Enhance", VIOLET, [called, work])),
        owner=owner,
        search=("denoise", "flicker", "refine", "upscale", "ditto"),
    )


def _stages(models: Node, settings: Node, words: list[Node], *rest: Stage) -> list[Stage]:
    return [Stage("1 Recipe", BLUE, [models, settings]), Stage("2 Text", GOLD, words), *rest]


def _texts(words: Output, text: str, title: str, models: Node, settings: Node) -> list[Node]:
    return texts(words, text, title, models["text encoder"], settings["negative prompt"])


def _edit_long_clip(recipe: Recipe, given: Node, models: Node, settings: Node, words: list[Node]) -> Node:
    positive, negative = (text["CONDITIONING"] for text in words)
    settled = {"window_frames": "frames", "width": "width", "height": "height", "strength": "strength"}
    settled |= {"held_frames": "held frames", "times_in_result": "times in result"}
    node = Node(
        "ReelpatchEditLongClip",
        "Edit long clip",
        [("VIDEO", "VIDEO")],
        sockets={
            **{"model": "MODEL", "edit_module": "MODEL_PATCH", "vae": "VAE", "positive": "CONDITIONING"},
            **{"sampler": "SAMPLER", "sigmas": "SIGMAS", "video": "VIDEO", "negative": "CONDITIONING"},
            **{"guidance": "REELPATCH_GUIDANCE", "mask": MASKS, "references": "REELPATCH_REFERENCES"},
            "edited_frame": "IMAGE",
        },
        links={
            **{"model": models["MODEL"], "edit_module": models["edit module"], "vae": models["VAE"]},
            **{"positive": positive, "negative": negative, "sampler": settings["SAMPLER"]},
            **{"sigmas": settings["SIGMAS"], "guidance": settings["guidance"], "video": given["video"]},
            **{"mask": given["mask"], "references": given["references"], "seed": given["seed"]},
            "edited_frame": given[EDITED_FRAME],
            **{widget: settings[name] for widget, name in settled.items()},
        },
        widgets={
            **{"window_frames": recipe.frames, "overlap": 0, "fit": "pad"},
            **{"width": recipe.width, "height": recipe.height},
            **{"strength": recipe.strength, "start": 0.0, "end": 1.0},
            **{"grow": 0, "feather": 0, "blend": "plain", "match": "none", "match_frames": 8.0},
            **_name_and_seed("reelpatch/edit"),
            "accept_damage": False,
            **{"mask_channel": "auto", "mask_threshold": -1.0},
            **{"skip_hints": recipe.skip_hints, "held_frames": recipe.held_frames, "at_frame": 0},
            **{"times_in_result": recipe.times_in_result, "lossless": False, "half_size_steps": 0},
        },
        widget_types={
            **{"window_frames": "INT", "width": "INT", "height": "INT", "strength": "FLOAT", "seed": "INT"},
            **{"held_frames": "INT", "filename_prefix": "STRING", "times_in_result": "BOOLEAN"},
        },
        width=400,
        room=360,
    )
    node.hidden = {SEED_CONTROL: "fixed"}
    return node


def _enhance_long_clip(recipe: Recipe, given: Node) -> Node:
    node = Node(
        "ReelpatchEnhanceLongClip",
        "Enhance long clip",
        [("VIDEO", "VIDEO")],
        sockets={
            **{"model": "MODEL", "vae": "VAE", "positive": "CONDITIONING", "video": "VIDEO"},
            "negative": "CONDITIONING",
        },
        links={name: given[name] for name in ("video", "recipe", "last_steps", "seed")},
        widgets={
            **{"recipe": recipe.name, "last_steps": 0, "window_frames": recipe.frames, "overlap": 0},
            **{"fit": "pad", "width": 0, "height": 0},
            **_name_and_seed("reelpatch/enhance"),
            **{"accept_damage": False, "lossless": False},
        },
        widget_types={
            **{"recipe": "COMBO", "last_steps": "INT", "window_frames": "INT", "seed": "INT"},
            "filename_prefix": "STRING",
        },
        width=400,
        room=360,
    )
    node.hidden = {SEED_CONTROL: "fixed"}
    return node


def _name_and_seed(prefix: str) -> dict[str, Any]:
    return {"filename_prefix": prefix, "seed": 1}


def part_from(first_frame: int) -> dict[str, Any]:
    """The widgets outside that say which part of a video is edited; 0 frames and 0 fps are the recipe's."""
    return {"first_frame": first_frame, "frames": 0, "fps": 0.0}


def length(given: Node) -> dict[str, Output]:
    """How many frames, and at which rate, as Recipe takes it: what is typed outside goes before the recipe's."""
    return {name: given[name] for name in ("frames", "fps")}


def part_of_video(
    recipe: Recipe,
    given: Node,
    settings: Node,
    first_frame: int,
    vae: Output | None = None,
    fit: str = "pad",
) -> Node:
    """Clip, at the size, length and rate of Recipe, from a first frame that comes from outside; `vae` is one of other sizes."""
    return Node(
        "ReelpatchClip",
        "Clip",
        [
            *(("clip", "REELPATCH_CLIP"), ("frames", "IMAGE"), ("width", "INT"), ("height", "INT")),
            *(("length", "INT"), ("fps", "FLOAT")),
        ],
        sockets={"video": "VIDEO", "images": "IMAGE", **({} if vae is None else {"vae": "VAE"})},
        links={
            **{"video": given["video"], "first_frame": given["first_frame"]},
            **{name: settings[name] for name in ("width", "height", "frames", "fps")},
            **({} if vae is None else {"vae": vae}),
        },
        widgets={
            **{"fit": fit, "width": recipe.width, "height": recipe.height, "first_frame": first_frame},
            **{"frames": recipe.frames, "fps": float(recipe.fps)},
        },
        widget_types={
            **{"width": "INT", "height": "INT", "first_frame": "INT", "frames": "INT", "fps": "FLOAT"},
        },
        room=60,
    )
