"""Templates for pictures and in context on tiny weights: ComfyUI knows CLIP ViT-H by its 32 layers, so that the backbone has no branch for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from reelpatch.families.wan.names import diffusers_to_native
from reelpatch.recipes import RECIPES
from reelpatch.weights.header import identify
from tests.golden import tiny_adapter, tiny_pictures
from workflows.describe import paths
from workflows.pair_subgraph import ON_SHAPES
from workflows.templates import Workflow

FILES = ("backbone", "edit_module", "lora", "second_lora", "vae", "text_encoder")
DEMO_BACKBONE = "reelpatch_demo_t2v_bf16.safetensors"
BACKBONE = "tiny_pictures.safetensors"
ADAPTER = "tiny_adapter.safetensors"
_LOADERS = {
    "backbone": ("ReelpatchLoadBackbone", {"file": BACKBONE, "storage": "from file", "compute": "auto"}),
    "vae": ("VAELoader", {"vae_name": "reelpatch_demo_vae.safetensors"}),
    "text": ("ReelpatchDemoTextEncoder", {"file": "reelpatch_demo_umt5.safetensors"}),
}


def models_with_backbone(models: Path, folder: Path) -> Path:
    """A models folder with the files of another one, the tiny backbone for pictures, and an edit adapter for the demo's backbone."""
    for place in models.iterdir():
        (folder / place.name).mkdir(parents=True)
        for file in place.iterdir():
            (folder / place.name / file.name).symlink_to(file)
    made = tiny_pictures.backbone(
        **{"num_attention_heads": 1, "attention_head_dim": 128, "text_dim": 4096, "freq_dim": 256},
        **{"image_dim": None, "added_kv_proj_dim": None},
    )
    state = {diffusers_to_native(key): tensor.contiguous() for key, tensor in made.state_dict().items()}
    for name in (BACKBONE, RECIPES["demo-picture"].files_for("backbone")[0].names[0]):
        save_file(state, folder / "diffusion_models" / name)
    # Core makes no VAE of 48 channels but the full one; the layout does not depend on it.
    file = identify(models / "diffusion_models" / DEMO_BACKBONE)
    width, channels, *_ = file.shape("patch_embedding.weight")
    adapter = tiny_adapter.weights(width, channels, layers=file.count("blocks"))
    tiny_adapter.save(folder / "diffusion_models" / ADAPTER, state=adapter)
    return folder


def in_known_words(prompt: dict[str, Any]) -> dict[str, Any]:
    """What is asked for in the tiny text encoder's words; empty text stays."""
    for node in prompt.values():
        if isinstance(node["inputs"].get("text"), str) and node["inputs"]["text"]:
            node["inputs"]["text"] = "make it sepia"
    return prompt


def tiny_picture(workflow: Workflow) -> dict[str, Any]:
    """The workflow as it is queued, with few pixels and few steps; of all but the demo's, with loaders one by one in place of the
    recipe's."""
    if workflow.recipe.startswith("demo"):
        prompt: dict[str, Any] = json.loads(paths(workflow)[1].read_text(encoding="utf-8"))
        for node in prompt.values():
            if node["class_type"] == "ReelpatchPicture":
                node["inputs"] |= {"width": 32, "height": 32, "instruction": "make it sepia"}
        return prompt
    made = _loaded_apart(workflow, _LOADERS, ("ReelpatchLoadPictureModels", "CLIPVisionEncode"))
    for node in made.values():
        if node["class_type"] == "ReelpatchPicture":
            is_reasoning = workflow.recipe == "chronoedit-reasoning"
            node["inputs"] |= {"width": 32, "height": 32, "instruction": "make it sepia"}
            node["inputs"]["reasoning_steps"] = 1 if is_reasoning else -1
    return made


def tiny_in_context(workflow: Workflow) -> dict[str, Any]:
    """The same for one that edits in context, with the demo's backbone, whose text encoder reads known words in place of the
    method's own."""
    backbone = {"file": DEMO_BACKBONE, "storage": "from file", "compute": "auto"}
    loaders: dict[str, tuple[str, dict[str, str]]] = {"backbone": ("ReelpatchLoadBackbone", backbone)}
    kind, record = "ReelpatchLoadContextModels", RECIPES[workflow.recipe]
    has_adapter = record.segments is not None and record.edit_kind.has_module
    if record.edit_kind.has_module:
        kind = "ReelpatchLoadModels"
        loaders["module"] = (
            "ReelpatchLoadEditModule",
            {"file": ADAPTER if has_adapter else "reelpatch_demo_edit_module.safetensors"},
        )
    loaders |= {name: _LOADERS[name] for name in ("vae", "text")}
    if record.has_two_experts:  # another MODEL, though of the same file
        loaders["low_noise"] = ("ReelpatchLoadBackbone", backbone | {"compute": "fp32"})
    made = _loaded_apart(workflow, loaders, (kind,))
    for node in made.values():
        given = node["inputs"]
        if node["class_type"] in {"ReelpatchClip", "ReelpatchTask"}:
            given |= {"width": 32, "height": 32, "frames": 9, "fps": 0.0}
        if node["class_type"] == "CLIPTextEncode":
            given["text"] = "make it sepia"
        if node["class_type"] == "LoadVideo" and not has_adapter:  # whose mask is of the shipped clip's size
            given["file"] = "clip.mp4"
    return made


def tiny_pair(workflow: Workflow, onset: int = 0) -> dict[str, Any]:
    """One that takes two captions, by the demo's recipe and in its words; its clips are saved as pictures too, without loss."""
    prompt = json.loads(paths(workflow)[1].read_text(encoding="utf-8"))
    for node in prompt.values():
        given, title = node["inputs"], node["_meta"]["title"]
        given |= {"recipe": "demo-shared-attention"} if "recipe" in given else {}
        given |= {name: "recipe" for name in FILES if isinstance(given.get(name), str)}
        given |= {"onset": onset} if "onset" in given else {}
        caption = ON_SHAPES.source if "source" in title else ON_SHAPES.target
        given |= {"instruction": caption} if title.startswith("Name of the") else {}
        given |= {"text": caption} if title.startswith("Caption of") else {}
    for key, node in list(prompt.items()):
        if node["class_type"] == "CreateVideo":
            given = {"images": node["inputs"]["images"], "filename_prefix": "picture"}
            prompt[f"{key}:1"] = {"inputs": given, "class_type": "SaveImage", "_meta": node["_meta"]}
    return prompt


def _loaded_apart(
    workflow: Workflow, loaders: Mapping[str, tuple[str, dict[str, str]]], left_out: Sequence[str]
) -> dict[str, Any]:
    """The prompt with `loaders` in place of the first of the types that are left out; three steps."""
    prompt = json.loads(paths(workflow)[1].read_text(encoding="utf-8"))
    (models,) = (key for key, node in prompt.items() if node["class_type"] == left_out[0])
    gone = {key for key, node in prompt.items() if node["class_type"] in left_out}
    made = {key: {"class_type": kind, "inputs": dict(inputs)} for key, (kind, inputs) in loaders.items()}
    instead = {(models, slot): [key, 0] for slot, key in enumerate(loaders)}
    for key in prompt.keys() - gone:
        given = prompt[key]["inputs"]
        for name, value in list(given.items()):
            if isinstance(value, list) and value[0] in gone:
                if tuple(value) in instead:
                    given[name] = instead[tuple(value)]
                else:
                    del given[name]
        made[key] = prompt[key]
        if prompt[key]["class_type"] == "ReelpatchRecipe":
            given["steps"] = 3
    return made


SAM3_NODES = {"CheckpointLoaderSimple", "SAM3_VideoTrack", "SAM3_TrackToMask"}


def without_sam3(prompt: dict[str, Any]) -> dict[str, Any]:
    """A mask from a file in place of what SAM3 finds, whose weights are not here; what is made of it stays."""
    finds = {key for key, node in prompt.items() if node["class_type"] in SAM3_NODES}
    kept = {key: node for key, node in prompt.items() if key not in finds}
    if finds:
        kept = {key: node for key, node in kept.items() if not finds & links_of(node)} | {
            key: {**node, "inputs": {**node["inputs"], "mask": ["by word", 0]}}
            for key, node in kept.items()
            if node["class_type"] == "GrowMask"
        }
        mask = {"image": "reelpatch_demo_mask.png", "channel": "red"}
        kept["by word"] = {"class_type": "LoadImageMask", "inputs": mask, "_meta": {"title": "Mask"}}
        (video,) = (node for node in kept.values() if node["class_type"] == "LoadVideo")
        video["inputs"]["file"] = "reelpatch_demo_clip.mp4"  # of the mask's size
    return kept


def links_of(node: dict[str, Any]) -> set[str]:
    """The nodes that a node is linked to."""
    return {value[0] for value in node["inputs"].values() if isinstance(value, list)}
