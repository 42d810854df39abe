"""The part of a template that works on a video of any length, from file to file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reelpatch.recipes import Recipe
from workflows.enhance_graph import given_texts
from workflows.graph import SEED_CONTROL, Node, Output

LONG_CLIP = "reelpatch_demo_long_clip.mp4"
INSTRUCTION = "make it sepia"


def long_edit(
    recipe: Recipe, models: Mapping[str, Any], video: Output, texts: Sequence[Node], settings: Node
) -> Node:
    """The node Edit long clip, in windows as long as the recipe was made for."""
    positive, negative = (text["CONDITIONING"] for text in texts)
    node = Node(
        "ReelpatchEditLongClip",
        "Edit long clip",
        [("VIDEO", "VIDEO")],
        sockets={
            **{"model": "MODEL", "edit_module": "MODEL_PATCH", "vae": "VAE", "positive": "CONDITIONING"},
            **{"negative": "CONDITIONING", "sampler": "SAMPLER", "sigmas": "SIGMAS"},
            **{"guidance": "REELPATCH_GUIDANCE", "video": "VIDEO", "mask": "MASK,VIDEO"},
            "references": "REELPATCH_REFERENCES",
        },
        links={
            **{"model": models["model"], "edit_module": models["module"], "vae": models["vae"]["VAE"]},
            **{"positive": positive, "negative": negative, "sampler": settings["SAMPLER"]},
            **{"sigmas": settings["SIGMAS"], "guidance": settings["guidance"], "video": video},
        },
        widgets={
            **{"window_frames": recipe.frames, "overlap": 0, "fit": "pad"},
            **{"width": recipe.width, "height": recipe.height},
            **{"strength": recipe.strength, "start": 0.0, "end": 1.0},
            **{"grow": 0, "feather": 0, "blend": "plain", "match": "none", "match_frames": 8.0},
            **{"filename_prefix": "reelpatch/long_clip", "seed": 1},
            "accept_damage": False,
            **{"mask_channel": "auto", "mask_threshold": -1.0},
            "skip_hints": recipe.skip_hints,
        },
        width=400,
    )
    node.hidden = {SEED_CONTROL: "fixed"}
    return node


def long_enhance(recipe: Recipe, model: Output, vae: Output, video: Output, texts: Sequence[Node]) -> Node:
    """The node Enhance long clip, in windows as long as the recipe was made for."""
    node = Node(
        "ReelpatchEnhanceLongClip",
        "Enhance long clip",
        [("VIDEO", "VIDEO")],
        sockets={
            **{"model": "MODEL", "vae": "VAE", "positive": "CONDITIONING", "negative": "CONDITIONING"},
            "video": "VIDEO",
        },
        links={"model": model, "vae": vae, **given_texts(texts), "video": video},
        widgets={
            **{"recipe": recipe.name, "last_steps": 0, "window_frames": recipe.frames, "overlap": 0},
            **{"fit": "pad", "width": 0, "height": 0},
            **{"filename_prefix": "reelpatch/long_clip_enhanced", "seed": 1},
            "accept_damage": False,
        },
        width=400,
    )
    node.hidden = {SEED_CONTROL: "fixed"}
    return node
