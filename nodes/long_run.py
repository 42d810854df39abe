"""What nodes for videos of any length share: from file to file, in windows, and on where a cancelled run ended.

A result's name comes from all that it depends on, so that the same graph finds what it left.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
from comfy_api.latest import InputImpl, io, ui

import reelpatch
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.media.frame_reader import look_through
from reelpatch.media.output_lock import owned_output
from reelpatch.media.video_write import announce_result, check_output
from reelpatch.progress import OnProgress
from reelpatch.windows.file_stamp import stamp
from reelpatch.windows.plan_windows import plan_windows, usual_overlap
from reelpatch.windows.window_run import CutClip, WindowJob, Work, run_windows
from reelpatch.windows.window_store import FinishedWindow

from .node_message import say
from .output_place import output_place

_NAME_CHARACTERS = 12


class Told:
    """What is said while windows are worked on: one bar over all of them, and words under the node.

    `losses` are sentences on what the result does not keep. `window` counts from 0.
    """

    def __init__(
        self, node: type[io.ComfyNode], clip: CutClip, num_steps: int, losses: Iterable[str]
    ) -> None:
        self._node, self._steps = node, num_steps
        self._plan = "\n".join([clip.plan.describe(), *losses])
        self._bar = comfy.utils.ProgressBar(num_steps * len(clip.plan.windows))
        self.window = 0

    def on_step(self, step: int, preview: object) -> None:
        self._bar.update_absolute(self.window * self._steps + step, preview=preview)

    def on_progress(self, stage: str, done: int, _total: int) -> None:
        if not done:
            say(self._node, f"{self._plan}\nNow {stage}.")


def run_long(
    node: type[io.ComfyNode],
    clip: CutClip,
    *,
    prefix: str,
    mask: Path | None,
    num_steps: int,
    work: Callable[[Told], Work],
    notes: Iterable[str] = (),
    more: Mapping[str, str] | None = None,
) -> io.NodeOutput:
    """The finished video, made now or before by this very graph; `num_steps` are those of one window.

    `notes` are sentences to show before work, `more` is what decides the result beside the graph and the files.

    Raises: `BadInput` as `run_windows`, and where another ComfyUI is making it.
    """
    run = {
        "version": reelpatch.__version__,
        "clip": stamp(clip.header.path),
        "mask": stamp(mask),
        "graph": _graph_of(node),
        **(more or {}),
    }
    target = _target(prefix, run)
    with owned_output(target):
        if target.exists():
            say(
                node,
                f"{target.name} was finished by this very graph before; delete it to have it made again.",
            )
            return _shown(target)
        inputs = ("video", clip.header.path), ("mask", mask)
        check_output(target, inputs)
        sound = announce_result(clip.result, target)
        told = Told(node, clip, num_steps, [*filter(None, notes), *sound.losses])
        of_window = work(told)

        def begun(job: WindowJob, on_progress: OnProgress) -> FinishedWindow:
            told.window = job.number
            return of_window(job, on_progress)

        run_windows(clip, target, run, begun, told.on_progress, sound=sound)
    return _shown(target)


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


def windows_of(path: Path, window_frames: int, overlap: int, accept_damage: bool) -> CutClip:
    """The windows of a video; an overlap of 0 is the usual one. Raises: `BadInput` as `look_through` and `plan_windows`."""
    header = look_through(path, folder_fps=Fraction(1), accept_damage=accept_damage)
    plan = plan_windows(
        header.num_frames,
        window_frames,
        overlap or usual_overlap(window_frames, WAN.lattice),
        WAN.lattice,
    )
    return CutClip(header, plan)


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
    folder, name = output_place(prefix)
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()
    return folder / f"{name}_{digest[:_NAME_CHARACTERS]}.mp4"


def _shown(target: Path) -> io.NodeOutput:
    below = target.relative_to(folder_paths.get_output_directory()).parent.as_posix()
    saved = ui.SavedResult(target.name, "" if below == "." else below, io.FolderType.output)
    return io.NodeOutput(InputImpl.VideoFromFile(str(target)), ui=ui.PreviewVideo([saved]))
