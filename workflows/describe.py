"""The shipped workflows, described once; `python -m workflows.describe` writes their UI and API files.

What a method fixes is read from its recipe. Files are named with where they are published, so that ComfyUI offers to
download what is missing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reelpatch.recipes import RECIPES, Recipe, WeightFile
from workflows.enhance_graph import enhance, given_texts
from workflows.graph import SEED_CONTROL, Node, Output, Stage, build
from workflows.long_graph import LONG_CLIP, long_edit, long_enhance
from workflows.notes import note
from workflows.task_graphs import CLIP as CLIP_NAME
from workflows.task_graphs import Prepared, load_video
from workflows.templates import WORKFLOWS, Workflow

FOLDER = Path(__file__).parent
BLUE, GREEN, GOLD, VIOLET, RED = "#3f789e", "#3f7a4f", "#8a7434", "#6b4f8f", "#8a4040"
# What these nodes say after a run, in pixels.
ROOM_FOR_WORDS = {
    "ReelpatchLoadBackbone": 60,
    "ReelpatchLoadLora": 80,
    "ReelpatchLoadEditModule": 60,
    "ReelpatchClip": 60,
    "ReelpatchApplyEdit": 80,
    "ReelpatchRecipe": 200,
    "ReelpatchEnhance": 100,
    "ReelpatchEditLongClip": 360,
    "ReelpatchEnhanceLongClip": 360,
}


def graph(workflow: Workflow) -> tuple[dict[str, Any], dict[str, Any]]:
    """The UI and the API form of a workflow."""
    recipe = RECIPES[workflow.recipe]
    models = _models(workflow, recipe)
    if workflow.is_long:
        return _long_graph(workflow, recipe, models)
    prepared = workflow.prepare(recipe) if workflow.prepare else _clip(workflow, recipe)
    encoder = models["text"]["CLIP"]
    texts = _texts(workflow, recipe, encoder)
    if recipe.enhances:
        enhancer = enhance(recipe, models["model"], models["vae"]["VAE"], prepared.clip, texts)
        sampling = _sampling(enhancer, enhancer, enhancer)
        work = [("Text", GOLD, texts), ("Enhance and sampling", VIOLET, [enhancer, *sampling])]
    else:
        settings, apply = _recipe_node(recipe), _apply(recipe, models, prepared)
        guider = _guider(recipe, apply, texts, settings)
        sampling = _sampling(apply, guider, settings)
        work = [
            ("Instruction and recipe", GOLD, [*texts, settings]),
            ("Edit and sampling", VIOLET, [apply, guider, *sampling]),
        ]
    result = _result(workflow, sampling[-1], models, prepared)
    columns = [
        ("Models", BLUE, models["nodes"]),
        *((title, GREEN, nodes) for title, nodes in prepared.columns.items()),
        *work,
        ("Result", RED, result),
    ]
    if workflow.compares:
        columns.append(("Look", BLUE, [_compare(prepared.clip, result[0]["video"])]))
    return _built(workflow, recipe, models, columns)


def _long_graph(
    workflow: Workflow, recipe: Recipe, models: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    texts = _texts(workflow, recipe, models["text"]["CLIP"])
    load = load_video("Video", LONG_CLIP)
    if recipe.enhances:
        work = long_enhance(recipe, models["model"], models["vae"]["VAE"], load["VIDEO"], texts)
        columns = [("Text", GOLD, texts), ("Enhance and result", VIOLET, [work])]
    else:
        settings = _recipe_node(recipe)
        work = long_edit(recipe, models, load["VIDEO"], texts, settings)
        columns = [
            ("Instruction and recipe", GOLD, [*texts, settings]),
            ("Edit and result", VIOLET, [work]),
        ]
    loaded = [("Models", BLUE, models["nodes"]), ("Video", GREEN, [load])]
    return _built(workflow, recipe, models, [*loaded, *columns])


def _texts(workflow: Workflow, recipe: Recipe, encoder: Output) -> list[Node]:
    title = "What the finished video shows" if workflow.how else "Instruction"
    texts = [_text(title, encoder, workflow.instruction)]
    if recipe.guidance.scale != 1 or not workflow.how:
        texts.append(_text("Negative prompt", encoder, recipe.negative_prompt))
    return texts


def _built(
    workflow: Workflow, recipe: Recipe, models: Mapping[str, Any], columns: Sequence[tuple[str, str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    stages = [Stage(f"{number} {title}", *rest) for number, (title, *rest) in enumerate(columns, start=1)]
    for node in (node for stage in stages for node in stage.nodes):
        node.room = ROOM_FOR_WORDS.get(node.type, node.room)
    ui, api = build(stages, [note(workflow.title, recipe, models["nodes"], workflow.how)])
    ui["id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"reelpatch/{workflow.name}"))
    return ui, api


def _recipe_node(recipe: Recipe) -> Node:
    return Node(
        "ReelpatchRecipe",
        "Recipe",
        [
            *(("SAMPLER", "SAMPLER"), ("SIGMAS", "SIGMAS"), ("guidance", "REELPATCH_GUIDANCE")),
            *(("negative prompt", "STRING"), ("strength", "FLOAT"), ("width", "INT"), ("height", "INT")),
            *(("frames", "INT"), ("fps", "FLOAT")),
        ],
        widgets={
            "recipe": recipe.name,
            "steps": recipe.steps,
            "shift": float(recipe.shift),
            "cfg": float(recipe.guidance.scale),
        },
        width=400,
    )


def _apply(recipe: Recipe, models: Mapping[str, Any], prepared: Prepared) -> Node:
    return Node(
        "ReelpatchApplyEdit",
        "Apply edit",
        [("MODEL", "MODEL"), ("LATENT", "LATENT")],
        sockets={
            **{"model": "MODEL", "edit_module": "MODEL_PATCH", "vae": "VAE", "clip": "REELPATCH_CLIP"},
            **{"mask": "MASK", "references": "REELPATCH_REFERENCES"},
        },
        links={
            "model": models["model"],
            "edit_module": models["module"],
            "vae": models["vae"]["VAE"],
            "clip": prepared.clip,
            **({} if prepared.mask is None else {"mask": prepared.mask}),
            **({} if prepared.references is None else {"references": prepared.references}),
        },
        widgets={"strength": recipe.strength, "start": 0.0, "end": 1.0, "skip_hints": recipe.skip_hints},
    )


def _models(workflow: Workflow, recipe: Recipe) -> dict[str, Any]:
    backbone = _loader("ReelpatchLoadBackbone", "Backbone", "MODEL", recipe.files_for("backbone")[0], "file")
    backbone.widgets |= {"storage": "from file", "compute": "auto"}
    modules = [
        _loader("ReelpatchLoadEditModule", "Edit module", "MODEL_PATCH", file, "file")
        for file in recipe.files_for("module")
    ]
    for module in modules:
        module.outputs = [("edit module", "MODEL_PATCH")]
        if workflow.module:
            _set_file(module, "file", workflow.module, "diffusion_models")
    vae = _loader("VAELoader", "VAE", "VAE", recipe.files_for("vae")[0], "vae_name")
    text_file = recipe.files_for("text_encoder")[0]
    if text_file.url:
        text = _loader("CLIPLoader", "Text encoder", "CLIP", _comfy_text_encoder(text_file), "clip_name")
        text.widgets |= {"type": "wan", "device": "default"}
    else:
        text = _loader("ReelpatchDemoTextEncoder", "Text encoder", "CLIP", text_file, "file")
    nodes, model = [backbone], backbone["MODEL"]
    patch = modules[0]["edit module"] if modules else None
    for file in recipe.files_for("lora"):
        lora = _lora("LoRA", file.names[0], file.url, file.strength)
        is_for_both = not file.url  # the demo's LoRA was trained on backbone and module together
        lora.links = {"model": model} | ({"edit_module": patch} if is_for_both and patch else {})
        nodes.append(lora)
        model, patch = lora["MODEL"], lora["edit module"] if is_for_both else patch
    nodes += modules
    if workflow.module_lora and patch:
        lora = _lora("LoRA of the edit module", *workflow.module_lora, 1.0)
        lora.links = {"edit_module": patch}
        nodes.append(lora)
        patch = lora["edit module"]
    return {"nodes": [*nodes, vae, text], "model": model, "module": patch, "vae": vae, "text": text}


def _comfy_text_encoder(file: WeightFile) -> WeightFile:
    """The same encoder as core's loader takes it: with its tokenizer in the file."""
    name = "umt5_xxl_fp16.safetensors"
    assert name in file.names
    url = (
        "https://huggingface.co/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files/text_encoders/"
        + name
    )
    return WeightFile(file.role, (name,), url, file.size_gb, file.licence)


def _loader(kind: str, title: str, output: str, file: WeightFile, widget: str) -> Node:
    name = next(name for name in file.names if name.endswith(".safetensors"))
    node = Node(kind, title, [(output, output)], widgets={widget: name})
    if file.url.endswith(name):
        _set_file(node, widget, (name, file.url), file.folder)
    return node


def _set_file(node: Node, widget: str, file: tuple[str, str], folder: str) -> None:
    node.widgets[widget] = file[0]
    node.models = [{"name": file[0], "url": file[1], "directory": folder}]


def _lora(title: str, file: str, url: str, strength: float) -> Node:
    node = Node(
        "ReelpatchLoadLora",
        title,
        [("MODEL", "MODEL"), ("edit module", "MODEL_PATCH"), ("report", "STRING")],
        sockets={"model": "MODEL", "edit_module": "MODEL_PATCH"},
        widgets={"file": file, "strength": strength, "how": "side path", "by_step": ""},
    )
    if url:
        _set_file(node, "file", (file, url), "loras")
    return node


def _clip(workflow: Workflow, recipe: Recipe) -> Prepared:
    load = load_video("Clip to edit", CLIP_NAME)
    is_demo = not recipe.files_for("backbone")[0].url
    prepare = Node(
        "ReelpatchClip",
        "Clip",
        [
            *(("clip", "REELPATCH_CLIP"), ("frames", "IMAGE"), ("width", "INT"), ("height", "INT")),
            *(("length", "INT"), ("fps", "FLOAT")),
        ],
        sockets={"video": "VIDEO", "images": "IMAGE"},
        links={"video": load["VIDEO"]},
        widgets={
            "fit": "pad",
            "width": recipe.width,
            "height": recipe.height,
            "first_frame": workflow.first_frame,
            "frames": recipe.frames,
            "fps": 0.0 if is_demo else float(recipe.fps),
        },
    )
    return Prepared({"Clip": [load, prepare]}, prepare["clip"])


def _text(title: str, clip: Any, text: str) -> Node:
    return Node(
        "CLIPTextEncode",
        title,
        [("CONDITIONING", "CONDITIONING")],
        sockets={"clip": "CLIP"},
        links={"clip": clip},
        widgets={"text": text},
        height=200,
        width=400,
    )


def _guider(recipe: Recipe, apply: Node, texts: list[Node], settings: Node) -> Node:
    skip = recipe.skip_layers
    return Node(
        "ReelpatchGuidanceSchedule",
        "Guidance schedule",
        [("GUIDER", "GUIDER")],
        sockets={
            **{"model": "MODEL", "positive": "CONDITIONING", "negative": "CONDITIONING"},
            "settings": "REELPATCH_GUIDANCE",
        },
        links={"model": apply["MODEL"], **given_texts(texts), "settings": settings["guidance"]},
        widgets={
            "cfg": float(recipe.guidance.scale),
            "steps": "",
            "skip_blocks": "" if skip is None else ",".join(map(str, skip.blocks)),
            "skip_start": 0.2 if skip is None else skip.start,
            "skip_end": 0.7 if skip is None else skip.end,
        },
    )


def _sampling(apply: Node, guider: Node, settings: Node) -> list[Node]:
    noise = Node("RandomNoise", "Noise", [("NOISE", "NOISE")], widgets={"noise_seed": 1})
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
            **{"noise": noise["NOISE"], "guider": guider["GUIDER"], "sampler": settings["SAMPLER"]},
            **{"sigmas": settings["SIGMAS"], "latent_image": apply["LATENT"]},
        },
    )
    return [noise, sampler]


def _result(workflow: Workflow, sampler: Node, models: Mapping[str, Any], prepared: Prepared) -> list[Node]:
    finish = Node(
        "ReelpatchFinishClip",
        "Finish clip",
        [("video", "VIDEO"), ("frames", "IMAGE")],
        sockets={"samples": "LATENT", "vae": "VAE", "clip": "REELPATCH_CLIP", "mask": "MASK"},
        links={"samples": sampler["output"], "vae": models["vae"]["VAE"], "clip": prepared.clip},
        widgets={"grow": 0, "feather": 0, "blend": "plain", "match": "none", "match_frames": 8.0},
    )
    stem = "".join(letter if letter.isalnum() else "_" for letter in workflow.name.lower())
    save = Node(
        "SaveVideo",
        "Save the edited clip",
        [("video", "VIDEO")],
        sockets={"video": "VIDEO"},
        links={"video": finish["video"]},
        widgets={
            "filename_prefix": f"video/{stem}",
            "format": "auto",
            "format.codec": "auto",
            "codec": "auto",
        },
        height=460,
    )
    return [finish, save]


def _compare(before: Output, after: Output) -> Node:
    forms = "VIDEO,IMAGE,REELPATCH_CLIP"
    return Node(
        "ReelpatchCompare",
        "Compare",
        [],
        sockets={"before": forms, "after": forms},
        links={"before": before, "after": after},
        widgets={"fps": 0.0},
        width=520,
        height=560,
    )


def write() -> None:
    """Writes every workflow's two files."""
    for workflow in WORKFLOWS:
        for path, form in zip(paths(workflow), graph(workflow), strict=True):
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(form, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def paths(workflow: Workflow) -> tuple[Path, Path]:
    """Where the UI and the API form of a workflow are."""
    name = f"{workflow.name}.json"
    return FOLDER / name, FOLDER / "api" / name


if __name__ == "__main__":
    write()
