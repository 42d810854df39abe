"""Plan: memory, work and time of an edit, on the graph, before anything is loaded."""

from pathlib import Path

import comfy.model_management
import folder_paths
import torch
from comfy_api.latest import io, ui

from reelpatch.clips.worked_clip import WorkedClip
from reelpatch.plan.cards import CARDS, find_card
from reelpatch.plan.job import Job
from reelpatch.plan.machine import Machine
from reelpatch.plan.memory import GIB
from reelpatch.plan.models import DTYPES, Dtype
from reelpatch.plan.plan import plan_edit
from reelpatch.plan.report import report_for_node
from reelpatch.recipes import RECIPES, Recipe
from reelpatch.recipes.finder import find_present

from .sockets import WORKED_CLIP
from .widgets import MORE_PIXELS, asked_size, size_inputs

THIS_MACHINE = "this machine"
_MOST_GIB = 4096.0


class Plan(io.ComfyNode):
    """Reads the headers of files that are there and no weights; without files, it counts with the published sizes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchPlan",
            display_name="Plan",
            category="reelpatch/look",
            description=(
                "Says what an edit will take before anything is loaded: tokens, arithmetic, VRAM by stage, RAM, and about "
                "how long, on this machine and on another; when it does not fit, which setting would make it fit."
            ),
            search_aliases=["vram", "memory", "estimate", "will it fit", "time"],
            inputs=_inputs(),
            outputs=[io.String.Output(display_name="plan", tooltip="The lines that stand on the node.")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        recipe: str,
        width: int,
        height: int,
        frames: int,
        steps: int,
        cfg: float,
        references: int,
        edits: int,
        dtype: Dtype,
        card: str,
        vram: float,
        ram: float,
        clip: WorkedClip | None = None,
    ) -> io.NodeOutput:
        settings = _settings(recipe, steps, cfg)
        length, size = (settings.frames, (settings.height, settings.width))
        if clip is not None and settings.picture is None:
            length, size = clip.plan.frames, clip.plan.size
        job = Job(settings, frames or length, asked_size(width, height) or size, references, edits)
        plan = plan_edit(job, find_present(settings, _places), _machines(card, vram, ram), dtype=dtype)
        text = report_for_node(plan)
        return io.NodeOutput(text, ui=ui.PreviewText(text))  # which js/text.js shows


def _settings(name: str, steps: int, cfg: float) -> Recipe:
    return RECIPES[name].planned_for(steps or None).guided(cfg or None)


def _places(folder: str) -> list[Path]:
    """The folders that ComfyUI looks into for a kind of file, those of extra_model_paths.yaml among them."""
    return [Path(place) for place in folder_paths.folder_names_and_paths.get(folder, ([], set()))[0]]


def _machines(card: str, vram: float, ram: float) -> tuple[Machine, ...]:
    here = _this_machine()
    other = None if card == THIS_MACHINE else find_card(card)
    if other is None and not vram and not ram:
        return (here,)
    known = other.vram if other else here.vram
    named = other.name if other else (None if vram else here.card)
    stated = Machine("stated machine", int(ram * GIB) or here.ram, int(vram * GIB) or known, named)
    return (stated, here)


def _this_machine() -> Machine:
    """As ComfyUI's own memory manager sees it."""
    management = comfy.model_management
    device = management.get_torch_device()
    ram = int(management.get_total_memory(torch.device("cpu")))
    if management.is_device_cpu(device):
        return Machine(THIS_MACHINE, ram)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    return Machine(THIS_MACHINE, ram, int(management.get_total_memory(device)), name)


def _inputs() -> list[io.Input]:
    """What Plan asks for, in the order of its widgets."""
    return [
        WORKED_CLIP.Input(
            "clip",
            display_name="video clip",
            optional=True,
            tooltip="A clip whose working size and length are planned for.",
        ),
        io.Combo.Input("recipe", options=list(RECIPES), tooltip="The method."),
        *size_inputs(
            "Working width in pixels; 0 (with height 0) is the clip's, or the recipe's.", MORE_PIXELS
        ),
        io.Int.Input(
            "frames",
            default=0,
            min=0,
            max=100_000,
            tooltip="Length in frames, 4n + 1; 0 is the clip's, or the recipe's.",
        ),
        io.Int.Input("steps", default=0, min=0, max=1000, tooltip="Sampling steps; 0 is the recipe's."),
        io.Float.Input(
            "cfg",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip="Guidance scale; 0 is the recipe's, 1 is none and takes half the forwards.",
        ),
        io.Int.Input(
            "references", default=0, min=0, max=16, tooltip="Reference images; each adds a latent frame."
        ),
        io.Int.Input(
            "edits", default=1, min=1, max=16, tooltip="Edits of one clip that are chained on one MODEL."
        ),
        *_machine_inputs(),
    ]


def _machine_inputs() -> list[io.Input]:
    """In what precision, and on what."""
    return [
        io.Combo.Input(
            "dtype",
            options=list(DTYPES),
            default="auto",
            tooltip="fp8 stands for files in fp8; auto is the recipe's files, or those that are there.",
        ),
        io.Combo.Input(
            "card",
            options=[THIS_MACHINE, *(one.name for one in CARDS)],
            default=THIS_MACHINE,
            tooltip="A card to plan for beside this machine. Times are known for the named ones alone.",
        ),
        io.Float.Input(
            "vram",
            default=0.0,
            min=0.0,
            max=_MOST_GIB,
            step=0.5,
            tooltip="GiB of VRAM to plan for; 0 is the card's own.",
        ),
        io.Float.Input(
            "ram",
            default=0.0,
            min=0.0,
            max=_MOST_GIB,
            step=1.0,
            tooltip="GiB of RAM to plan for; 0 is this machine's.",
        ),
    ]
