"""Edit long clip: a video of any length, in windows that overlap, with the memory of one window."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from reelpatch.clips.given_frame import GivenFrame
from reelpatch.clips.mask_picture import MaskChannel
from reelpatch.clips.worked_clip import Finishing
from reelpatch.edits.registry import start_work
from reelpatch.families.wan.family import WAN
from reelpatch.media.mask_file import WindowMask
from reelpatch.sampling.guidance import Guidance, GuidancePlan
from reelpatch.sampling.step_range import StepRange
from reelpatch.windows.edit_window import EditWindow
from reelpatch.windows.window_run import CutClip

from .apply import check_module
from .given_frame import frame_stamp, given_frame
from .host import check_backbone
from .host_vae import check_vae
from .instruction import check_conditioning
from .long_inputs import long_edit_inputs
from .long_run import run_long, windows_of
from .video_file import file_of
from .widgets import (
    FOUND_OUT,
    Fit,
    asked_size,
    check_half_size_run,
    chosen_finish,
    chosen_fit,
    chosen_mask,
)
from .window_render import WindowRender


class EditLongClip(io.ComfyNode):
    """The same graph goes on where it was stopped."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ReelpatchEditLongClip",
            display_name="Edit long clip",
            category="reelpatch",
            description=(
                "Edits a video of any length in windows that overlap, reading and writing frames as they are needed. "
                "Finished windows are kept in the output folder: after a cancel, the same graph goes on from there."
            ),
            search_aliases=[
                "edit video",
                "restyle",
                "long video",
                "first frame",
                "windows",
                "chunks",
                "vace",
                "ditto",
                "context",
                "batch",
            ],
            inputs=long_edit_inputs(),
            outputs=[io.Video.Output(tooltip="The finished video, a file in the output folder.")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        edit_module: ModelPatcher,
        vae: Any,
        positive: Any,
        sampler: Any,
        sigmas: Tensor,
        video: Any,
        seed: int,
        window_frames: int,
        overlap: int,
        fit: Fit,
        width: int,
        height: int,
        strength: float,
        start: float,
        end: float,
        filename_prefix: str,
        negative: Any = None,
        guidance: GuidancePlan | None = None,
        mask: Any = None,
        references: list[Tensor] | None = None,
        accept_damage: bool = False,
        mask_channel: MaskChannel = "auto",
        mask_threshold: float = FOUND_OUT,
        skip_hints: bool = False,
        edited_frame: Tensor | None = None,
        held_frames: int = 1,
        at_frame: int = 0,
        times_in_result: bool = False,
        lossless: bool = False,
        half_size_steps: int = 0,
        **finish: Any,
    ) -> io.NodeOutput:
        _check(model, edit_module, vae, positive, sigmas, half_size_steps)
        clip = windows_of(file_of(video, "video"), window_frames, overlap, accept_damage)
        finishing, first = _finishing(mask, finish), given_frame(edited_frame, clip, held_frames, at_frame)
        where = mask if mask is None or isinstance(mask, Tensor) else file_of(mask, "mask")
        render_of = partial(
            WindowRender,
            *(model, edit_module, vae, positive, negative, guidance or GuidancePlan(Guidance(1.0)), sampler),
            *(sigmas, references or [], strength, StepRange(start, end), skip_hints, start_work("vace")),
        )
        as_asked = clip.header, clip.plan.clip_frames, chosen_mask(mask_channel, mask_threshold)
        with closing(WindowMask(where, None, *as_asked)) as part:
            masked = None if where is None else part, finishing, seed
            fitted = asked_size(width, height), chosen_fit(fit), WAN.lattice, first
            window = partial(EditWindow, times_in_result=times_in_result)
            return run_long(
                *(cls, clip, filename_prefix, where if isinstance(where, Path) else None, len(sigmas) - 1),
                work=lambda told: window(render_of(told.on_step, half_size_steps), *masked, *fitted),
                lossless=lossless,
                **_told_of(part, first, clip),
            )


def _told_of(mask: WindowMask, first: GivenFrame | None, clip: CutClip) -> dict[str, Any]:
    """What `run_long` says of mask and edited frame, and what tells a run with that frame apart."""
    told = [mask.describe()]
    if first is not None:
        told.append(first.describe("The edited frame", WAN.lattice.frames_per_latent))
        told.append(clip.plan.told_of_frame(first.at))
    return {"notes": told, "more": frame_stamp(first)}


def _check(
    model: ModelPatcher,
    edit_module: ModelPatcher,
    vae: Any,
    positive: Any,
    sigmas: Tensor,
    half_size_steps: int,
) -> None:
    """Raises: `BadInput` for what does not go together, before anything is read."""
    check_half_size_run(half_size_steps, sigmas)
    check_conditioning(positive)
    check_module(edit_module)
    check_vae(vae)
    check_backbone(model, edit_module.model.config.dim, WAN.lattice.channels)


def _finishing(mask: Any, finish: Mapping[str, Any]) -> Finishing:
    """Raises: `BadInput` for a finish that needs a mask where there is none."""
    finishing = Finishing(chosen_finish(**finish))
    if mask is None:
        finishing.check_without_mask()
    return finishing
