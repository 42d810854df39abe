"""ComfyUI as a host of edits: the one place where the engine's contract meets ComfyUI's Wan model.

An edit hangs on a MODEL as a wrapper around the transformer's forward. The wrapper puts replace patches on the blocks
of that one call, over those of other nodes and packs: what stands there (skipped layers, for one) is called first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import comfy.ldm.wan.model
import torch
from comfy.ldm.flux.math import apply_rope1
from comfy.ldm.modules.attention import optimized_attention
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrapperExecutor, WrappersMP
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY
from torch import Tensor

from reelpatch.edits.contract import (
    Capability,
    Edit,
    Forward,
    Moment,
    check_needs,
    replaces_keys_values,
)
from reelpatch.edits.segments.edit import SegmentsEdit
from reelpatch.errors import BadInput
from reelpatch.families.attention import Attention
from reelpatch.families.family import Family
from reelpatch.families.lattice import Lattice
from reelpatch.families.registry import FAMILIES
from reelpatch.families.wan.family import WAN_5B_FAMILY as WIDE
from reelpatch.families.wan.sizes import named_widths
from reelpatch.sampling.condition_sets import Sees

from .edit_memory import EditMemory, JoinedPasses
from .edited_pass import BlockArguments, EditedPass, embedder, timer
from .keys_values import OVERRIDE, KeysValuesOverride

KEY = "reelpatch"
STEPS_KEY = "reelpatch_steps"
"""Wrappers around the transformer's forward under this key follow the steps of a run; an edit module's own go along."""
SEES_KEY = "reelpatch_sees"
"""Which segments a pass is shown, where its guider says so; all of them otherwise."""
OFFERED = frozenset(Capability)

BlockPatch = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]


def attach(model: ModelPatcher, edit: Edit, module: ModelPatcher | None) -> ModelPatcher:
    """A copy of a MODEL on which `edit` is at work; `module` is the patcher of its weights, None without any.

    Edits add up.

    Raises: `BadInput` for a MODEL that edits cannot be attached to, saying what it is.
    """
    check_needs([edit], OFFERED, host="ComfyUI")
    lattice = check_backbone(model, edit.width, edit.channels).lattice
    edited = model.clone()
    edits = (*attached_edits(model), edit)
    memory = EditMemory(edits, lattice)
    for place, wrappers in (
        (WrappersMP.DIFFUSION_MODEL, (EditedForward(edits, lattice),)),
        (WrappersMP.PREPARE_SAMPLING, (refuse_compiled_whole, memory)),
        (WrappersMP.CALC_COND_BATCH, (JoinedPasses(memory),)),
    ):
        edited.remove_wrappers_with_key(place, KEY)
        for wrapper in wrappers:
            edited.add_wrapper_with_key(place, KEY, wrapper)
    if module is None:
        return edited
    for wrapper in module.get_wrappers(WrappersMP.DIFFUSION_MODEL, STEPS_KEY):
        edited.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, STEPS_KEY, wrapper)
    edited.set_additional_models(KEY, _with(edited.get_additional_models_with_key(KEY), module))
    return edited


def attached_edits(model: ModelPatcher) -> list[Edit]:
    """The edits on a MODEL, in the order they were attached."""
    wrappers = model.get_wrappers(WrappersMP.DIFFUSION_MODEL, KEY)
    return [edit for wrapper in wrappers for edit in wrapper.edits]


def num_references(model: ModelPatcher) -> int:
    """How many references the edits on a MODEL show beside the clip."""
    return sum(edit.num_references for edit in attached_edits(model) if isinstance(edit, SegmentsEdit))


def check_backbone(model: ModelPatcher, module_width: int | None, channels: int | None = None) -> Family:
    """The family of a MODEL that edits can be attached to.

    Raises: `BadInput` for one of no known family, for a Wan backbone that is not a plain text-to-video one, and for one that
        is not as wide as the edit module, or reads latents of another number of channels than the edit was made for, if those
        are given.
    """
    backbone = model.get_model_object("diffusion_model")
    family = family_of(model)
    if family is None or family.comfyui is None or not family.comfyui.takes_edits:
        raise BadInput(
            f"this MODEL is a {type(model.model).__name__}, but edits need a Wan text-to-video backbone: load one "
            "with Load backbone or Load Diffusion Model."
        )
    if isinstance(backbone, comfy.ldm.wan.model.WanModel):
        _check_wan(backbone, family.lattice.channels, channels)
    if module_width is not None and backbone.dim != module_width:
        raise BadInput(
            f"the edit module is {module_width} wide and the backbone {backbone.dim}: they belong to different "
            f"models ({named_widths()}); choose a pair of the same size."
        )
    return family


def family_of(model: ModelPatcher) -> Family | None:
    """The registered family whose classes a MODEL has; None for none of them."""
    transformer = _class_names(model.get_model_object("diffusion_model"))
    latents = _class_names(model.get_model_object("latent_format"))
    found = [
        (latents.index(family.comfyui.latents), family)
        for family in FAMILIES.all()
        if family.comfyui and family.comfyui.transformer in transformer and family.comfyui.latents in latents
    ]
    # A class may go back to that of another family, as Wan2.2's latents do to Wan2.1's.
    return min(found, key=lambda one: one[0])[1] if found else None


def _class_names(thing: Any) -> list[str]:
    """Those that it has, its own first."""
    return [f"{one.__module__}.{one.__qualname__}" for one in type(thing).__mro__]


def _check_wan(backbone: Any, own: int, asked: int | None) -> None:
    if isinstance(backbone, comfy.ldm.wan.model.VaceWanModel):
        raise BadInput(
            "this MODEL is a Wan backbone with a VACE module merged in, which would go on working beside the edit: "
            "load the file with Load backbone, which leaves that module out, or use a text-to-video file."
        )
    if backbone.in_dim != own or backbone.model_type != "t2v":
        raise BadInput(
            "this MODEL is a Wan backbone for image-to-video, but edits are made for text-to-video: load a Wan2.1 T2V, Wan2.2 "
            "T2V-A14B or Wan2.2 TI2V-5B file."
        )
    if asked not in (None, own):
        other = (
            "a Wan2.2 TI2V-5B file"
            if asked == WIDE.lattice.channels
            else "a Wan2.1 T2V or Wan2.2 T2V-A14B file"
        )
        raise BadInput(
            f"this MODEL is a Wan text-to-video backbone of the {own}-channel VAE, but the edit was made for latents of {asked} "
            f"channels: load {other}."
        )


def _with(attached: Sequence[ModelPatcher], module: ModelPatcher) -> list[ModelPatcher]:
    for patcher in attached:
        if patcher.model is not module.model:
            continue
        if patcher.patches_uuid == module.patches_uuid and patcher.injections == module.injections:
            return list(attached)
        raise BadInput(
            "one edit module was attached twice to this MODEL, with different LoRAs: its weights are in memory only "
            "once, so load the module a second time for the second LoRA."
        )
    return [*attached, module]


def refuse_compiled_whole(executor: Any, model: ModelPatcher, *args: Any, **kwargs: Any) -> Any:
    """Raises: `BadInput` before sampling, when the whole transformer is to be compiled with the edit inside it.

    What an edit decides at every step (its window, which rows are conditional) would break the graph at every block.
    Blocks that are compiled one by one are welcome: edits work between them.
    """
    held = model.model
    plain = held.diffusion_model
    # Who compiles puts the compiled module in place around every forward; so look at what is in place then.
    wrappers = model.get_wrappers(WrappersMP.APPLY_MODEL, COMPILE_KEY)
    look = WrapperExecutor.new_class_executor(lambda: held.diffusion_model is not plain, held, wrappers)
    if look.execute():
        raise BadInput(
            "a node compiles this whole MODEL (TorchCompileModel), but edits work between its blocks: take that node "
            "out, or use one that compiles the blocks one by one."
        )
    return executor(model, *args, **kwargs)


@dataclass(frozen=True, eq=False)
class EditedForward:
    """The edits of a MODEL around the transformer's forward."""

    edits: tuple[Edit, ...]
    lattice: Lattice

    def __call__(self, executor: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        args, kwargs, options = _with_own_options(args, kwargs)
        transformer = executor.class_obj
        num_blocks = len(transformer.blocks)

        def forward(block: BlockArguments) -> Forward:
            return forward_of(block, x, transformer, self.lattice)

        edited = EditedPass(self.edits, forward, num_blocks, timer(transformer, x))
        override = None
        if replaces_keys_values(self.edits):
            override = KeysValuesOverride(edited.keys_values, options.get(OVERRIDE))
            options[OVERRIDE] = override
        replaced = options["patches_replace"]["dit"]
        for index in range(num_blocks):
            key = ("double_block", index)
            replaced[key] = _chained(replaced.get(key), index, edited, override)
        return executor(x, *args, **kwargs)


def forward_of(block: BlockArguments, x: Tensor, transformer: Any, lattice: Lattice) -> Forward:
    """What an edit is told, from the arguments of the first block and the latents `x` [B, C, T, h, w].

    Raises: `BadInput` for a backbone that carries tokens beside those of the latents.
    """
    options, tokens = block["transformer_options"], block["img"]
    frames, rows, columns = x.shape[-3:]
    grid = lattice.grid(frames, rows, columns)
    if tokens.shape[1] != grid.tokens:
        raise BadInput(
            f"the backbone works on {tokens.shape[1]} tokens, but the latents make {grid.tokens}: another node adds "
            "reference tokens of its own (ref_conv, Phantom, Bernini), which this edit cannot be combined with yet."
        )
    shown, num_frames = _window(options, frames)
    rows_per_kind = len(x) // len(options["cond_or_uncond"])
    conditional = tuple(kind == 0 for kind in options["cond_or_uncond"] for _ in range(rows_per_kind))
    return Forward(
        tokens=tokens,
        grid=grid,
        modulation=block["vec"],
        text=block["txt"],
        rotary=block["pe"],
        num_blocks=len(transformer.blocks),
        moment=Moment.on(
            options["sample_sigmas"],
            float(options["sigmas"].flatten()[0]),
            conditional,
            options.get(SEES_KEY, Sees.ALL),
        ),
        num_channels=x.shape[1],
        head_dim=transformer.dim // transformer.num_heads,
        embed=embedder(transformer, tokens),
        attention=_attention(options),
        rotate=apply_rope1,
        shown_frames=shown,
        num_frames=num_frames,
    )


def options_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The transformer options of a forward: by ComfyUI's convention they come last when they come by position."""
    return kwargs["transformer_options"] if "transformer_options" in kwargs else args[-1]


def _with_own_options(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
    """The forward's arguments with transformer options of their own, so that nothing stays behind after the call."""
    given = options_of(args, kwargs)
    replaced = {name: dict(patches) for name, patches in given.get("patches_replace", {}).items()}
    replaced.setdefault("dit", {})
    options = {**given, "patches_replace": replaced}
    if "transformer_options" in kwargs:
        return args, {**kwargs, "transformer_options": options}, options
    return (*args[:-1], options), kwargs, options


def _chained(
    standing: BlockPatch | None,
    index: int,
    edited: EditedPass,
    override: KeysValuesOverride | None,
) -> BlockPatch:
    def block(arguments: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        arguments = edited.before_block(index, arguments)
        was_run = False

        def original(given: dict[str, Any]) -> dict[str, Any]:
            nonlocal was_run
            was_run = True
            with nullcontext() if override is None else override.block(index):
                return extra["original_block"](given)

        if standing is None:
            out = original(arguments)
        else:
            out = standing(arguments, {**extra, "original_block": original})
        return {**out, "img": edited.after_block(index, out["img"], was_skipped=not was_run)}

    return block


def _window(options: Mapping[str, Any], frames: int) -> tuple[list[int] | None, int | None]:
    """The latent frames a call sees, and how many there are in all, where context windows are in use."""
    window = options.get("context_window")
    if window is None:
        return None, None
    # The window's own way to slice: it also takes in the frame that keeps a window causal.
    shown: list[int] = window.get_tensor(torch.arange(window.total_frames), dim=0).tolist()
    if window.dim != 2 or len(shown) != frames:
        raise BadInput(
            f"a context window over dimension {window.dim} shows {len(shown)} of {frames} latent frames: use windows "
            "over time (dim 2), as Wan Context Windows makes them."
        )
    return shown, window.total_frames


def _attention(options: Any) -> Attention:
    """ComfyUI's chosen attention, with whatever overrides it in this run."""

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        heads = q.shape[2]
        return optimized_attention(
            q.flatten(2), k.flatten(2), v.flatten(2), heads=heads, transformer_options=options
        )

    return attention
