"""The shipped templates: for each a recipe, with what it leaves open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reelpatch.recipes import Recipe
from workflows.enhance_graph import HOW as HOW_TO_ENHANCE
from workflows.long_graph import INSTRUCTION as LONG_INSTRUCTION
from workflows.task_graphs import TASK_GRAPHS, Prepared

DITTO_REPOSITORY = "https://huggingface.co/QingyanBai/Ditto_models/resolve/main"


@dataclass(frozen=True)
class Workflow:
    """One template: a recipe, with what it leaves open.

    `module` replaces the recipe's edit module, `module_lora` goes on top of it; both are (file, where it is published).
    `prepare` lays out a task, and `how` says how to use it; without, a clip is edited by instruction. One that `is_long` is
    worked on in windows, from file to file.
    """

    name: str
    title: str
    recipe: str
    instruction: str
    module: tuple[str, str] | None = None
    module_lora: tuple[str, str] | None = None
    first_frame: int = 0
    prepare: Callable[[Recipe], Prepared] | None = None
    how: str = ""
    compares: bool = False
    is_long: bool = False


def _ditto(file: str) -> tuple[str, str]:
    return f"{file}.safetensors", f"{DITTO_REPOSITORY}/models_comfy/{file}.safetensors"


WORKFLOWS = (
    Workflow(
        "Demo - edit on any machine",
        "Demo: edit on any machine",
        "demo",
        "make the red circle blue",
        compares=True,
    ),
    Workflow(
        "Ditto - restyle a video (4 steps)",
        "Ditto global: restyle a video in 4 steps",
        "ditto-global",
        "Make it a Pixel Art video.",
        first_frame=1,
    ),
    Workflow(
        "Ditto - style only (4 steps)",
        "Ditto style: restyle a video in 4 steps",
        "ditto-global",
        "Make it watercolor drawing style.",
        module=_ditto("ditto_global_style_comfy"),
        first_frame=1,
    ),
    Workflow(
        "Ditto - to the real domain (4 steps)",
        "Ditto sim2real: a rendered video becomes real, in 4 steps",
        "ditto-global",
        "Turn it into the real domain.",
        module=_ditto("ditto_sim2real_comfy"),
        first_frame=1,
    ),
    Workflow(
        "Ditto - local edit (4 steps)",
        "Ditto local: change one thing in a video, in 4 steps",
        "ditto-global",
        "Add a red hat to the man.",
        module=(
            "Wan2_1-VACE_module_14B_bf16.safetensors",
            "https://huggingface.co/Kijai/WanVideo_comfy/resolve/main/Wan2_1-VACE_module_14B_bf16.safetensors",
        ),
        module_lora=("ditto_local.safetensors", f"{DITTO_REPOSITORY}/models/ditto_local.safetensors"),
        first_frame=1,
    ),
    Workflow(
        "Ditto - as LoRA on a VACE module (4 steps)",
        "Ditto as LoRA on a VACE module, in 4 steps",
        "ditto-global",
        "Make it a Claymation.",
        module=(
            "Wan2_1-VACE_module_14B_bf16.safetensors",
            "https://huggingface.co/Kijai/WanVideo_comfy/resolve/main/Wan2_1-VACE_module_14B_bf16.safetensors",
        ),
        module_lora=("ditto_global.safetensors", f"{DITTO_REPOSITORY}/models/ditto_global.safetensors"),
        first_frame=1,
    ),
    Workflow(
        "Ditto - quality (50 steps)",
        "Ditto global: the quality path in 50 steps",
        "ditto-quality",
        "Make it a Japanese anime style, cel shading video.",
    ),
    Workflow(
        "Ditto - enhance a video",
        "Ditto's enhancer: steadier and sharper, by the last 4 of 40 steps of Wan2.2",
        "enhance",
        "",
        how=HOW_TO_ENHANCE,
    ),
    Workflow(
        "Demo - enhance on any machine",
        "Demo: enhance on any machine",
        "demo-enhance",
        "",
        how=HOW_TO_ENHANCE,
    ),
    Workflow(
        "Demo - edit a long video on any machine",
        "Demo: edit a video of any length on any machine",
        "demo",
        LONG_INSTRUCTION,
        is_long=True,
    ),
    Workflow(
        "Ditto - edit a long video (4 steps)",
        "Ditto global: restyle a video of any length, in 4 steps",
        "ditto-global",
        "Make it a Pixel Art video.",
        is_long=True,
    ),
    Workflow(
        "Ditto - enhance a long video",
        "Ditto's enhancer for a video of any length",
        "enhance",
        "",
        how=HOW_TO_ENHANCE,
        is_long=True,
    ),
    Workflow(
        "Demo - enhance a long video on any machine",
        "Demo: enhance a video of any length on any machine",
        "demo-enhance",
        "",
        how=HOW_TO_ENHANCE,
        is_long=True,
    ),
    *(
        Workflow(one.name, one.title, "vdot", one.prompt, prepare=one.prepare, how=one.how)
        for one in TASK_GRAPHS
    ),
)
