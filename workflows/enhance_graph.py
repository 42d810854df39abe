"""The part of a template that enhances a clip instead of editing it."""

from __future__ import annotations

from collections.abc import Sequence

from reelpatch.recipes import Recipe
from workflows.graph import Node, Output

HOW = (
    "Nothing is edited: the clip is noised a little and denoised again, which steadies and sharpens it. **last_steps** "
    "says how strongly; the text is empty, or says what the clip shows."
)


def enhance(recipe: Recipe, model: Output, vae: Output, clip: Output, texts: Sequence[Node]) -> Node:
    """The node Enhance, which hands all but the noise to core's sampler."""
    return Node(
        "ReelpatchEnhance",
        "Enhance",
        [("GUIDER", "GUIDER"), ("SAMPLER", "SAMPLER"), ("SIGMAS", "SIGMAS"), ("LATENT", "LATENT")],
        sockets={
            **{"model": "MODEL", "vae": "VAE", "positive": "CONDITIONING", "negative": "CONDITIONING"},
            "clip": "REELPATCH_CLIP",
        },
        links={"model": model, "vae": vae, **given_texts(texts), "clip": clip},
        widgets={"recipe": recipe.name, "last_steps": 0},
        width=400,
    )


def given_texts(texts: Sequence[Node]) -> dict[str, Output]:
    """The links of one text, or of two."""
    return dict(zip(("positive", "negative"), (text["CONDITIONING"] for text in texts), strict=False))
