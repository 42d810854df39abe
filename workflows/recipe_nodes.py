"""The nodes that a recipe fills, as they stand inside every blueprint: its models, its settings, and the texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reelpatch.recipes import Recipe, WeightFile
from reelpatch.recipes.comfy_files import comfy_files
from workflows.graph import SEED_CONTROL, Node, Output

OF_RECIPE = "recipe"
Files = Mapping[str, tuple[str, str]]
"""Files in place of the recipe's, by the widget they go into: each a name, and where it is published."""


def load_models(
    recipe: Recipe, chosen: Output, own: Files | None = None, *, names_files: bool = True
) -> Node:
    """Loads all files of a recipe. With `names_files` their names stand in the widgets, so that the browser lists those
    that are missing when a workflow is opened."""
    files = _by_widget(recipe) if names_files else {}
    models = {
        widget: {"name": file.names[0], "url": file.url, "directory": file.folder}
        for widget, file in files.items()
        if file.url.endswith(file.names[0])
    }
    for widget, (name, url) in (own or {}).items():
        models[widget] = {
            "name": name,
            "url": url,
            "directory": "loras" if "lora" in widget else "diffusion_models",
        }
    kind, title = ("LoadEnhancer", "Enhancer") if recipe.enhances else ("LoadModels", "Models")
    parts = ["backbone", "edit_module", "lora", "second_lora", "vae", "text_encoder"]
    outputs = [("MODEL", "MODEL"), ("edit module", "MODEL_PATCH"), ("VAE", "VAE"), ("text encoder", "CLIP")]
    if not recipe.edit_kind.has_module:
        del parts[1], outputs[1]
    if (recipe.segments or recipe.sharing) is not None and not recipe.edit_kind.has_module:
        kind = "LoadContextModels" if recipe.sharing is None else "LoadPairModels"
        parts.append("low_noise")
        outputs.append(("low-noise model", "MODEL"))
    if recipe.picture is not None:
        kind = "LoadPictureModels"
        parts.append("clip_vision")
        outputs.append(("picture encoder", "CLIP_VISION"))
    if recipe.channels is not None:
        kind = "LoadChannelModels"
        parts = ["backbone", "vae", "text_encoder", "glyph_encoder", "clip_vision"]
        outputs.append(("picture encoder", "CLIP_VISION"))
    # What nobody published is found by what it is, under whatever name.
    named = {widget: file.names[0] for widget, file in files.items() if not file.unpublished}
    names = {widget: named.get(widget, OF_RECIPE) for widget in parts}
    names |= {widget: name for widget, (name, _) in (own or {}).items()}
    return Node(
        f"Reelpatch{kind}",
        title,
        outputs,
        links={"recipe": chosen},
        widgets={"recipe": recipe.name, **names},
        widget_types={"recipe": "COMBO"},
        models=list(models.values()),
        width=480,
        room=180,
    )


def _by_widget(recipe: Recipe) -> dict[str, WeightFile]:
    roles = {
        **{"backbone": "backbone", "module": "edit_module", "vae": "vae"},
        **{"text_encoder": "text_encoder", "clip_vision": "clip_vision", "low_noise": "low_noise"},
        "glyph_encoder": "glyph_encoder",
    }
    files = comfy_files(recipe)
    loras = zip(("lora", "second_lora"), (file for file in files if file.role == "lora"), strict=False)
    return {roles[file.role]: file for file in files if file.role in roles} | dict(loras)


def recipe_node(recipe: Recipe, chosen: Output, strength: Output | None = None, **more: Output) -> Node:
    """Every setting of the recipe; 0 is the recipe's own. `more` are others of its widgets that come from outside."""
    return Node(
        "ReelpatchRecipe",
        "Recipe",
        [
            *(("SAMPLER", "SAMPLER"), ("SIGMAS", "SIGMAS"), ("guidance", "REELPATCH_GUIDANCE")),
            *(("negative prompt", "STRING"), ("strength", "FLOAT"), ("width", "INT"), ("height", "INT")),
            *(("frames", "INT"), ("fps", "FLOAT"), ("held frames", "INT")),
            ("times in result", "BOOLEAN"),
        ],
        links={"recipe": chosen, **({} if strength is None else {"strength": strength}), **more},
        widgets={
            **{"recipe": recipe.name, "steps": 0, "shift": 0.0, "cfg": 0.0, "strength": 0.0},
            **{"frames": 0, "fps": 0.0, "guidance_steps": 0},
        },
        widget_types={"recipe": "COMBO", "strength": "FLOAT", "frames": "INT", "fps": "FLOAT"},
        width=400,
        room=260,
    )


def texts(words: Output, text: str, title: str, encoder: Output, negative: Output) -> list[Node]:
    """What is asked for, and the recipe's negative prompt."""
    return [text_node(title, text, encoder, words), text_node("Negative prompt", "", encoder, negative)]


def text_node(title: str, text: str, encoder: Output, words: Output) -> Node:
    """CLIP Text Encode, whose text comes from outside."""
    return Node(
        "CLIPTextEncode",
        title,
        [("CONDITIONING", "CONDITIONING")],
        sockets={"clip": "CLIP"},
        links={"clip": encoder, "text": words},
        widgets={"text": text},
        widget_types={"text": "STRING"},
        height=200,
        width=400,
    )


def apply_edit(recipe: Recipe, models: Node, settings: Node, links: Mapping[str, Output]) -> Node:
    """Apply edit; `links` are its clip, mask and references."""
    return Node(
        "ReelpatchApplyEdit",
        "Apply edit",
        [("MODEL", "MODEL"), ("LATENT", "LATENT")],
        sockets={
            **{"model": "MODEL", "edit_module": "MODEL_PATCH", "vae": "VAE", "clip": "REELPATCH_CLIP"},
            **{"mask": "MASK", "references": "REELPATCH_REFERENCES"},
        },
        links={
            **{"model": models["MODEL"], "edit_module": models["edit module"], "vae": models["VAE"]},
            **{"strength": settings["strength"], **links},
        },
        widgets={
            "strength": recipe.strength,
            "start": 0.0,
            "end": 1.0,
            "skip_hints": recipe.skip_hints,
            "times_in_result": False,
        },
        widget_types={"strength": "FLOAT"},
        room=80,
    )


class Sampled(NamedTuple):
    """What is sampled: a model and its latent, what it is told, and by which sampler."""

    model: Output
    latent: Output
    positive: Output
    negative: Output
    sampler: Output
    low_noise: Output | None = None

    @classmethod
    def of(cls, apply: Node, given: Sequence[Node], settings: Node) -> Sampled:
        """An edit that is applied, with the two texts."""
        positive, negative = (text["CONDITIONING"] for text in given)
        return cls(apply["MODEL"], apply["LATENT"], positive, negative, settings["SAMPLER"])


def sampling(given: Sampled, settings: Node, seed: Output) -> list[Node]:
    """Guider, noise and core's sampler."""
    guider = Node(
        "ReelpatchGuidanceSchedule",
        "Guidance schedule",
        [("GUIDER", "GUIDER")],
        sockets={
            **{"model": "MODEL", "positive": "CONDITIONING", "negative": "CONDITIONING"},
            "settings": "REELPATCH_GUIDANCE",
        },
        links={
            **{"model": given.model, "positive": given.positive, "negative": given.negative},
            "settings": settings["guidance"],
        },
        widgets={"cfg": 1.0, "steps": "", "skip_blocks": "", "skip_start": 0.2, "skip_end": 0.7},
    )
    if given.low_noise is not None:
        guider.sockets["low_noise"] = "MODEL"
        guider.links["low_noise"] = given.low_noise
    noise = Node(
        "RandomNoise",
        "Noise",
        [("NOISE", "NOISE")],
        links={"noise_seed": seed},
        widgets={"noise_seed": 1},
        widget_types={"noise_seed": "INT"},
    )
    noise.hidden = {SEED_CONTROL: "fixed"}
    sampler = Node(
        "SamplerCustomAdvanced",
        "Sampler",
        [("output", "LATENT"), ("denoised_output", "LATENT")],
        sockets={
            **{"noise": "NOISE", "guider": "GUIDER", "sampler": "SAMPLER"},
            **{"sigmas": "SIGMAS", "latent_image": "LATENT"},
        },
        links={
            **{"noise": noise["NOISE"], "guider": guider["GUIDER"], "sampler": given.sampler},
            **{"sigmas": settings["SIGMAS"], "latent_image": given.latent},
        },
    )
    return [guider, noise, sampler]


def finish(samples: Output, vae: Output, clip: Output, mask: Output | None = None) -> Node:
    """Finish clip, which gives back the source outside a mask."""
    links: dict[str, Any] = {"samples": samples, "vae": vae, "clip": clip}
    return Node(
        "ReelpatchFinishClip",
        "Finish clip",
        [("video", "VIDEO"), ("frames", "IMAGE")],
        sockets={"samples": "LATENT", "vae": "VAE", "clip": "REELPATCH_CLIP", "mask": "MASK"},
        links=links if mask is None else {**links, "mask": mask},
        widgets={"grow": 0, "feather": 0, "blend": "plain", "match": "none", "match_frames": 8.0},
    )


NAME = "name"


def result_name(clip: Output | None, words: Output | None, text: str) -> Node:
    """What the result is called; `words` are the instruction, else the name says `text`."""
    return Node(
        "ReelpatchResultName",
        "Name of the result",
        [(NAME, "STRING"), ("kept name", "STRING")],
        sockets={"video": "VIDEO,IMAGE,REELPATCH_CLIP"},
        links={
            **({} if clip is None else {"video": clip}),
            **({} if words is None else {"instruction": words}),
        },
        widgets={"instruction": text, "folder": "video"},
        widget_types={"instruction": "STRING"},
    )
