"""Edit video in context as one node: the source clip's tokens stand beside those of the clip that is made."""

from __future__ import annotations

from typing import NamedTuple

from reelpatch.recipes import Recipe
from workflows.edit_subgraphs import BLUE, GOLD, GREEN, ending, length, part_from, part_of_video
from workflows.graph import Node, Output, Stage
from workflows.material_nodes import CLIP, MASK, PLACE, SUBJECT, load_image, load_mask, load_video
from workflows.recipe_nodes import (
    Sampled,
    load_models,
    recipe_node,
    texts,
)
from workflows.subgraph import BLUEPRINT, Subgraph, boundary
from workflows.task_graphs import Prepared
from workflows.track_nodes import FROM_A_MOMENT_ON, HOW_WITH_TRACK, mask_track


class Offered(NamedTuple):
    """How the node library offers a method: name, what it does, and what else it is found by."""

    name: str
    description: str
    search: tuple[str, ...]


_PART = "from a first frame on, so many frames, at so many frames per second"
IN_SEQUENCE = Offered(
    "Edit video in context",
    "Edits a part of a video by an instruction, with the source beside it at every step, as VideoCoF and Bernini-R do: "
    f"{_PART}. A mask says what may change, and keeps every other pixel; Bernini-R takes reference pictures.",
    ("videocof", "bernini", "remove object", "add object", "instruction", "reference"),
)
SIDE_BY_SIDE = Offered(
    "Edit video side by side",
    "Edits a part of a video by an instruction, as ReCo does: the model works on a picture twice as wide, with the video at the left, "
    f"and makes the edit at the right; {_PART}. A mask keeps every other pixel; reco-ref takes a reference picture.",
    ("reco", "add object", "replace object", "instruction", "reference"),
)
BY_ADAPTER = Offered(
    "Edit video by an edit adapter",
    f"Edits a part of a video by an instruction, in EasyV2V's layout with an edit adapter that you have trained: {_PART}. A mask goes "
    "into the model and says where and when, a reference picture shows how it is to look. EasyV2V's authors published no weights.",
    ("easyv2v", "ti2v", "own adapter", "instruction", "reference", "mask video"),
)
HOW = (
    "Say what is to change, as a command. **recipe** changes all settings and files: *videocof-fast* and *videocof* add, remove or "
    "swap one thing, *bernini-r-1.3b* (8 GB) and *bernini-r* (14B, two experts) take references too. Length and rate come with it, "
    "33 at 10 for VideoCoF and 81 at 16 for Bernini-R; **frames** and **fps** that you type go before them, and -1 is all of the "
    "video, or its own rate."
)
HOW_ON_CANVAS = (
    "Say what is to change, as a command. The model works on a picture twice as wide, with the video at the left, and makes the edit at "
    "the right. *reco-ref* in place of *reco* looks at a reference picture too: connect one to **references**. ReCo is better at "
    "adding and replacing than at removing."
)

HOW_WITH_ADAPTER = (
    "**EasyV2V's authors published no weights**: train an *edit adapter* (its file format is in `docs/files.md` of Reelpatch, under *Edit "
    "adapters*), put it into models/diffusion_models under any name, and it is found by what it is. Say what is to change, as a command. The "
    "mask, of the video's size, is white where the edit may change something: one image for all frames, or one for each. The reference "
    "shows how it is to look. Without either the instruction alone says so: disconnect them."
)

HOW_WITH_DEMO_ADAPTER = (
    "A few words are enough: *change the background*, and the **picture** says to which. "
    f"{HOW_WITH_TRACK} Weights of our own, which know coloured shapes of 64x64 pixels: EasyV2V's authors published none."
)

IN_CONTEXT = (
    (
        "VideoCoF - edit a video (4 steps)",
        "VideoCoF: add, remove or swap one thing in 4 steps",
        "videocof-fast",
    ),
    (
        "VideoCoF - edit a video (50 steps)",
        "VideoCoF: add, remove or swap one thing, by all of its 50 steps with guidance",
        "videocof",
    ),
    (
        "Bernini-R - edit a video (40 steps)",
        "Bernini-R: edit a video by instruction and references, in 40 steps",
        "bernini-r-1.3b",
    ),
    (
        "Bernini-R 14B - edit a video (40 steps)",
        "Bernini-R 14B: edit a video by instruction and references, by two experts in 40 steps",
        "bernini-r",
    ),
    (
        "ReCo - edit a video (50 steps)",
        "ReCo: edit a video side by side with itself, in 50 steps",
        "reco",
    ),
)
"""Templates: name, title, and recipe."""


def context_subgraph(recipe: Recipe, instruction: str, *, owner: str = BLUEPRINT) -> Subgraph:
    """A part of the clip at the length and rate that the method was made for, sampled at once."""
    given = boundary(
        *(("video", "VIDEO"), ("mask", "MASK"), ("references", "REELPATCH_REFERENCES")),
        *(("instruction", "STRING"), ("recipe", "COMBO"), ("first_frame", "INT"), ("frames", "INT")),
        *(("fps", "FLOAT"), ("seed", "INT")),
    )
    offered = (
        SIDE_BY_SIDE if recipe.canvas is not None else BY_ADAPTER if _has_adapter(recipe) else IN_SEQUENCE
    )
    models = load_models(recipe, given["recipe"], names_files=owner != BLUEPRINT)
    settings = recipe_node(recipe, given["recipe"], **length(given))
    clip = part_of_video(recipe, given, settings, 0, models["VAE"] if _has_adapter(recipe) else None)
    edit = edit_in_context(recipe, given, models, clip["clip"], instruction)
    words = texts(edit["prompt"], "", "Instruction", models["text encoder"], settings["negative prompt"])
    positive, negative = (text["CONDITIONING"] for text in words)
    low_noise = None if recipe.edit_kind.has_module else models["low-noise model"]
    shown = Sampled(edit["MODEL"], edit["LATENT"], positive, negative, settings["SAMPLER"], low_noise)
    last = ending(shown, settings, models, clip, given, instruction)
    return Subgraph(
        offered.name,
        offered.description,
        given,
        {"instruction": instruction, "recipe": recipe.name, **part_from(0), "seed": 1},
        last.outputs,
        [
            Stage("1 Recipe", BLUE, [models, settings]),
            Stage("2 Clip and edit", GREEN, [clip, edit]),
            Stage("3 Text", GOLD, words),
            *last.stages,
        ],
        owner=owner,
        search=offered.search,
    )


def prepare_in_context(recipe: Recipe, owner: str, *, instruction: str) -> Prepared:
    """A template: a video, and the subgraph that edits it."""
    video = load_video("Video", CLIP)
    node = context_subgraph(recipe, instruction, owner=owner).node({"video": video["VIDEO"]})
    return Prepared([video], node, asked=[(video, "file")])


def prepare_with_adapter(recipe: Recipe, owner: str, *, instruction: str) -> Prepared:
    """A template: a video with a mask and a reference, which go into the model."""
    video, mask = load_video("Video", CLIP), load_mask("Mask: white may change", MASK)
    still = load_image("How it is to look", SUBJECT)
    references = _reference(still)
    given = {"video": video["VIDEO"], "mask": mask["MASK"], "references": references["references"]}
    node = context_subgraph(recipe, instruction, owner=owner).node(given)
    asked = [(video, "file"), (mask, "image"), (still, "image")]
    return Prepared([video, mask], node, [still, references], asked)


def prepare_demo_adapter(recipe: Recipe, owner: str, *, instruction: str) -> Prepared:
    """A template: the demo's clip with a mask track, and a picture whose background is taken."""
    video = load_video("Video", CLIP)
    track, still = mask_track(video["VIDEO"], FROM_A_MOMENT_ON), load_image("The background to take", PLACE)
    references = _reference(still)
    given = {"video": video["VIDEO"], "mask": track["mask"], "references": references["references"]}
    node = context_subgraph(recipe, instruction, owner=owner).node(given)
    asked = [(video, "file"), (track, "track"), (still, "image")]
    return Prepared([video, still, references], node, [track], asked)


def _reference(still: Node) -> Node:
    return Node(
        "ReelpatchReferences",
        "References",
        [("references", "REELPATCH_REFERENCES")],
        sockets={"images.image_0": "IMAGE", "images.image_1": "IMAGE"},
        links={"images.image_0": still["IMAGE"]},
        room=30,
    )


def _has_adapter(recipe: Recipe) -> bool:
    return recipe.segments is not None and recipe.edit_kind.has_module


def edit_in_context(
    recipe: Recipe,
    given: Node,
    models: Node,
    clip: Output,
    instruction: str,
    references: Output | None = None,
) -> Node:
    """Edit in context, with what comes from outside, and `references` where they do not."""
    module = {"edit_module": models["edit module"]} if recipe.edit_kind.has_module else {}
    masked = {"mask": given["mask"]} if _has_adapter(recipe) else {}
    return Node(
        "ReelpatchEditInContext",
        "Edit in context",
        [("MODEL", "MODEL"), ("LATENT", "LATENT"), ("prompt", "STRING")],
        sockets={
            **{
                "model": "MODEL",
                "vae": "VAE",
                "clip": "REELPATCH_CLIP",
                "references": "REELPATCH_REFERENCES",
            },
            **dict.fromkeys(module, "MODEL_PATCH"),
            **dict.fromkeys(masked, "MASK"),
        },
        links={
            **{"model": models["MODEL"], "vae": models["VAE"], "clip": clip},
            **{name: given[name] for name in ("recipe", "instruction")},
            "references": given["references"] if references is None else references,
            **module,
            **masked,
        },
        widgets={"recipe": recipe.name, "instruction": instruction, "start": 0.0, "end": 1.0},
        widget_types={"recipe": "COMBO", "instruction": "STRING"},
        width=400,
        room=120,
    )
