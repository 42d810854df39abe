"""Load LoRA: any naming of Wan's, onto a MODEL, an edit module, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.lora
import comfy.utils
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import io
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.sampling.strengths import StrengthSchedule
from reelpatch.weights.finite import is_finite
from reelpatch.weights.header import Kind
from reelpatch.weights.lora import Lora, match_lora

from .files import chosen_file, listed, missing_or_true
from .host import STEPS_KEY
from .node_message import say
from .side_paths import FollowSteps, SidePath, SidePaths, changed_by

FOLDER = "loras"
SIDE_PATH, MERGED = "side path", "merged"
KEY = "reelpatch_loras"
MODEL_PREFIX = "diffusion_model."
WEIGHT = ".weight"


class LoadLora(io.ComfyNode):
    """fp8 weights are never rounded again by the side path, so taking the LoRA off is exact."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchLoadLora",
            display_name="Load LoRA (any naming)",
            category="reelpatch/loaders",
            description=(
                "Applies a LoRA of any published Wan naming (ComfyUI, kijai, lightx2v, diffusers, PEFT, DiffSynth, Ditto, "
                "musubi) to a MODEL and to an edit module, each where its keys fit. Keys that fit neither are named."
            ),
            search_aliases=["lora", "causvid", "lightx2v", "ditto"],
            inputs=_inputs(),
            outputs=[
                io.Model.Output(),
                io.ModelPatch.Output(display_name="edit module"),
                io.String.Output(
                    display_name="report", tooltip="What was applied, and every key that was not."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, file: object = "") -> bool | str:
        return missing_or_true(FOLDER, file)

    @classmethod
    def execute(
        cls,
        file: str,
        strength: float,
        how: str,
        by_step: str = "",
        model: ModelPatcher | None = None,
        edit_module: ModelPatcher | None = None,
    ) -> io.NodeOutput:
        if model is None and edit_module is None:
            raise BadInput("nothing is connected to Load LoRA: connect a model, an edit module, or both.")
        strengths = strengths_of(strength, by_step)
        if how == MERGED and not strengths.is_constant:
            raise BadInput(
                f"by_step of '{file}' changes its strength from step to step, which merged weights cannot: choose "
                f"'{SIDE_PATH}' under how, or leave by_step empty."
            )
        path = Path(folder_paths.get_full_path_or_raise(FOLDER, file))
        loaded = loaded_lora(path, strengths, merge=how == MERGED, model=model, edit_module=edit_module)
        say(cls, loaded.report)
        return io.NodeOutput(loaded.model, loaded.edit_module, loaded.report)


@dataclass(frozen=True, eq=False)
class AppliedLora:
    """A patcher with a LoRA, and what of the file it took."""

    patcher: ModelPatcher
    lora: Lora


def strengths_of(strength: float, by_step: str) -> StrengthSchedule:
    """The strength at each step: that of the widget, times the factors in "1, 0.5, 0" that share the steps.

    Raises: `BadInput` for text that is no list of numbers, and for what is not finite.
    """
    try:
        factors = [float(part) for part in by_step.split(",")] if by_step.strip() else [1.0]
    except ValueError:
        raise BadInput(
            f"'{by_step}' in by_step is no list of numbers: separate them by commas, such as 1, 0.5, 0, or leave it "
            "empty."
        ) from None
    return StrengthSchedule(tuple(strength * factor for factor in factors))


def apply_lora(
    patcher: ModelPatcher,
    state: Mapping[str, Tensor],
    strengths: StrengthSchedule,
    *,
    prefix: str,
    merge: bool,
) -> AppliedLora:
    """A copy of `patcher` with what of a LoRA fits it; `prefix` stands before its native names.

    At one strength, full differences, which are of norms, biases and other small parameters, are core's patches
    either way: they cost no time per step then.
    Raises: `BadInput` for tensors with NaN in them.
    """
    shapes = {
        key.removeprefix(prefix): tuple(tensor.shape)
        for key, tensor in patcher.model.state_dict().items()
        if key.startswith(prefix)
    }
    lora = match_lora(state, shapes)
    for name, tensor in lora.tensors():
        if not is_finite(tensor):
            raise BadInput(f"the LoRA holds NaN or infinity for {name}: download it again.")
    pairs, deltas = _pairs(lora, prefix), {f"{prefix}{name}": delta for name, delta in lora.deltas.items()}
    changed = patcher.clone()
    if merge:
        changed.add_patches(pairs, strengths.values[0])
    if strengths.is_constant:
        _add_deltas(changed, deltas, strengths.values[0])
    beside = {**({} if merge else pairs), **({} if strengths.is_constant else deltas)}
    if beside:
        _add_side_paths(changed, [SidePath(key, added, strengths) for key, added in beside.items()])
    return AppliedLora(changed, lora)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A MODEL and an edit module with a LoRA on them, each None where there was none, and a report of what it changed."""

    model: ModelPatcher | None
    edit_module: ModelPatcher | None
    report: str


def loaded_lora(
    path: Path,
    strengths: StrengthSchedule,
    *,
    merge: bool,
    model: ModelPatcher | None,
    edit_module: ModelPatcher | None,
) -> Loaded:
    """The LoRA of a file where its keys fit. Raises: `BadInput` for a file that is none, and for one that fits nowhere."""
    chosen_file(path, Kind.LORA)
    state = comfy.utils.load_torch_file(str(path), safe_load=True)
    applied = [
        None if patcher is None else apply_lora(patcher, state, strengths, prefix=prefix, merge=merge)
        for patcher, prefix in ((model, MODEL_PREFIX), (edit_module, ""))
    ]
    report = _report(path.name, state, [one.lora for one in applied if one is not None])
    on_model, on_module = (None if one is None else one.patcher for one in applied)
    return Loaded(on_model, on_module, report)


def _pairs(lora: Lora, prefix: str) -> dict[str, Any]:
    """The pairs as core's adapters, by the key of the weight they are for."""
    named: dict[str, Any] = {}
    for name, pair in lora.pairs.items():
        named |= {f"{name}.lora_down.weight": pair.down, f"{name}.lora_up.weight": pair.up}
        named[f"{name}.alpha"] = pair.down.new_tensor(pair.scale * pair.rank, dtype=pair.down.float().dtype)
    for name, change in lora.factored.items():
        named |= {f"{name}.{part}": tensor for part, tensor in change.parts()}
        rank = next((group[1].shape[0] for group in (change.first, change.second) if group[1:]), None)
        if rank is not None:  # core divides alpha by it; where both matrices are whole, it ignores alpha
            named[f"{name}.alpha"] = torch.tensor(change.scale * rank)
    layers = (*lora.pairs, *lora.factored)
    return comfy.lora.load_lora(named, {name: f"{prefix}{name}{WEIGHT}" for name in layers})


def _add_side_paths(patcher: ModelPatcher, added: Sequence[SidePath]) -> None:
    standing = [
        path
        for injection in patcher.injections.get(KEY, [])
        if isinstance(injection, SidePaths)
        for path in injection.paths
    ]
    paths = SidePaths([*standing, *added])
    patcher.set_injections(KEY, [paths])
    if any(not path.strengths.is_constant for path in paths.paths):
        patcher.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, STEPS_KEY, FollowSteps(paths))


def _add_deltas(patcher: ModelPatcher, deltas: Mapping[str, Tensor], strength: float) -> None:
    """Core patches weights and biases of layers alone; it counts a patch of a bare parameter and never applies it."""
    for key, delta in deltas.items():
        if key.endswith((WEIGHT, ".bias")):
            patcher.add_patches({key: ("diff", (delta,))}, strength)
        else:
            patcher.add_object_patch(key, changed_by(patcher.get_model_object(key), delta, strength))


def _report(file: str, state: Mapping[str, Tensor], loras: Sequence[Lora]) -> str:
    """What the file changed, and the keys that no target took, by name with the reason.

    Raises: `BadInput` when nothing fits.
    """
    num_layers = sum(lora.num_layers for lora in loras)
    left = {
        key: reason for key, reason in loras[0].unmatched.items() if all(key in o.unmatched for o in loras)
    }
    if not num_layers:
        key, reason = next(iter(left.items()))
        raise BadInput(
            f"'{file}' fits no layer of what is connected ('{key}': {reason}): choose another LoRA."
        )
    unused = (
        ""
        if not left
        else f" Not used ({len(left)} of {len(state)} keys):\n"
        + "\n".join(f"{key}: {reason}" for key, reason in left.items())
    )
    return f"{file}: {num_layers} layers changed.{unused}"


def _inputs() -> list[io.Input]:
    """What Load LoRA asks for, in the order of its widgets."""
    return [
        io.Combo.Input("file", options=listed(FOLDER), tooltip="A file in models/loras."),
        io.Model.Input("model", optional=True, tooltip="The backbone."),
        io.ModelPatch.Input("edit_module", optional=True, tooltip="The edit module; Ditto's LoRAs go here."),
        io.Float.Input(
            "strength",
            default=1.0,
            min=-10.0,
            max=10.0,
            step=0.01,
            tooltip="1 is as trained, 0 is off. Ditto's workflow has its CausVid LoRA at 1.",
        ),
        io.Combo.Input(
            "how",
            options=[SIDE_PATH, MERGED],
            default=SIDE_PATH,
            tooltip=(
                "side path: computed beside the weights, which stay as they are; exact on fp8 files. merged: "
                "added into the weights; no time per step, but fp8 weights are rounded again."
            ),
        ),
        io.String.Input(
            "by_step",
            default="",
            optional=True,
            advanced=True,
            tooltip=(
                "Factors of the strength that share the sampler's steps equally, in order: 1, 0.5, 0 is full in the "
                "first third, half in the second, off in the last. Empty: the same at all steps. Side path only."
            ),
        ),
    ]
