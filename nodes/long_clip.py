"""Edit long clip: a video of any length, in windows that overlap, with the memory of one window."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import InputImpl, io, ui
from torch import Tensor

import reelpatch
from reelpatch.clips.finishing import Finishing
from reelpatch.clips.windows import plan_windows, usual_overlap
from reelpatch.errors import BadInput
from reelpatch.media.frame_reader import look_through
from reelpatch.media.mask_file import WindowMask
from reelpatch.media.stamps import stamp
from reelpatch.media.window_edit import EditWindow
from reelpatch.media.window_run import LongClip, run_windows
from reelpatch.sampling.guidance import Guidance, GuidancePlan, Window

from .apply import check_module, check_vae
from .host import check_backbone
from .long_clip_inputs import long_clip_inputs
from .widgets import Fit, asked_size, chosen_finish
from .window_render import WindowRender
from .words import say

_NAME_CHARACTERS = 12


class EditLongClip(io.ComfyNode):
    """The result's name comes from all that it depends on: the same graph goes on where it was stopped."""

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
            search_aliases=["long video", "windows", "chunks", "vace", "ditto", "context", "batch"],
            inputs=long_clip_inputs(),
            outputs=[io.Video.Output(tooltip="The finished video, a file in the output folder.")],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
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
        **finish: Any,
    ) -> io.NodeOutput:
        _check_models(model, edit_module, vae)
        clip = _windows_of(file_of(video, "video"), window_frames, overlap)
        finishing = Finishing(chosen_finish(**finish))
        if mask is None:
            finishing.check_without_mask()
        where = mask if mask is None or isinstance(mask, Tensor) else file_of(mask, "mask")
        run = {
            "version": reelpatch.__version__,
            "clip": stamp(clip.header.path),
            "mask": stamp(where) if isinstance(where, Path) else None,
            "graph": _graph_of(cls),
        }
        target = _target(filename_prefix, run)
        if target.exists():
            say(
                cls, f"{target.name} was finished by this very graph before; delete it to have it made again."
            )
            return _shown(target)
        told = _Told(cls, clip, len(sigmas) - 1)
        render = WindowRender(
            *(model, edit_module, vae, positive, negative),
            guidance=guidance or GuidancePlan(Guidance(1.0)),
            sampler=sampler,
            sigmas=sigmas,
            references=references or [],
            strength=strength,
            active=Window(start, end),
            on_step=told.on_step,
        )
        method = None if fit == "none" else fit
        with closing(WindowMask(where, None, clip.header, clip.plan.clip_frames)) as part:
            work = EditWindow(
                render, None if where is None else part, finishing, seed, asked_size(width, height), method
            )
            run_windows(clip, target, run, work, told.on_progress)
        return _shown(target)


class _Told:
    """What is said while windows are worked on: one bar over all of them, and words under the node."""

    def __init__(self, node: type[io.ComfyNode], clip: LongClip, num_steps: int) -> None:
        self._node, self._plan, self._steps = node, clip.plan.describe(), num_steps
        self._bar = comfy.utils.ProgressBar(num_steps * len(clip.plan.windows))
        self._window = 0

    def on_step(self, step: int, preview: object) -> None:
        self._bar.update_absolute((self._window - 1) * self._steps + step, preview=preview)

    def on_progress(self, stage: str, done: int, _total: int) -> None:
        if not done:
            # As `run_windows` says it: "window 2/7, decoding".
            self._window = int(stage.removeprefix("window ").partition("/")[0])
            say(self._node, f"{self._plan}\nNow {stage}.")


def file_of(video: Any, name: str) -> Path:
    """The file behind a VIDEO. Raises: `BadInput` for one that is in memory, or was cut."""
    source = video.get_stream_source() if isinstance(video, InputImpl.VideoFromFile) else None
    if not isinstance(source, str):
        raise BadInput(
            f"the {name} is not a file but is held in memory, whole: save it, and connect Load Video, so that its frames "
            "can be read as they are needed."
        )
    if any(video.get_active_trim_window()):
        raise BadInput(f"the {name} was cut to a part of its file: save the part, and load that.")
    return Path(source)


def _check_models(model: ModelPatcher, edit_module: ModelPatcher, vae: Any) -> None:
    check_module(edit_module)
    check_vae(vae)
    check_backbone(model, edit_module.model.config.dim)


def _windows_of(path: Path, window_frames: int, overlap: int) -> LongClip:
    header = look_through(path, folder_fps=Fraction(1))
    plan = plan_windows(header.num_frames, window_frames, overlap or usual_overlap(window_frames))
    return LongClip(header, plan)


def _graph_of(node: type[io.ComfyNode]) -> dict[str, Any]:
    """A node and all that it depends on, as the graph has them: what decides its result, but for changed files.

    Without a graph nothing tells runs apart, so that each is one of its own.
    """
    hidden = node.hidden
    if hidden is None or not hidden.prompt or hidden.unique_id is None:
        return {"run": uuid.uuid4().hex}
    prompt = hidden.prompt
    found: dict[str, Any] = {}
    waiting = [hidden.unique_id]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        inputs = prompt[name]["inputs"]
        found[name] = {"class": prompt[name]["class_type"], "inputs": inputs}
        waiting += [value[0] for value in inputs.values() if _is_link(value) and value[0] in prompt]
    return found


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and isinstance(value[0] if value else None, str)


def _target(prefix: str, run: Mapping[str, Any]) -> Path:
    folder, name, *_ = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory())
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()
    return Path(folder) / f"{name}_{digest[:_NAME_CHARACTERS]}.mp4"


def _shown(target: Path) -> io.NodeOutput:
    below = target.relative_to(folder_paths.get_output_directory()).parent.as_posix()
    saved = ui.SavedResult(target.name, "" if below == "." else below, io.FolderType.output)
    return io.NodeOutput(InputImpl.VideoFromFile(str(target)), ui=ui.PreviewVideo([saved]))
