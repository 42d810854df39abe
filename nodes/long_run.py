"""What nodes for videos of any length share: from file to file, in windows, and on where a cancelled run ended.

What a result depends on stands beside it, so that the same graph finds what it left; the workflow is in the result.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
from comfy_api.latest import io, ui

import reelpatch
from reelpatch.families.wan.family import WAN
from reelpatch.media.frame_reader import look_through
from reelpatch.media.output_lock import owned_output
from reelpatch.media.video_write import announce_result, check_output
from reelpatch.progress import OnProgress
from reelpatch.windows.file_stamp import stamp
from reelpatch.windows.plan_windows import plan_windows, usual_overlap
from reelpatch.windows.window_run import CutClip, WindowJob, Work, run_windows
from reelpatch.windows.window_store import FinishedWindow

from .graph_facts import asked_in, graph_of, item_of_list, workflow_tags
from .node_message import say
from .output_place import output_place
from .recorded import RecordedFile
from .result_record import Record, claimed


class Told:
    """What is said while windows are worked on: one bar over all of them, and words under the node.

    `losses` are sentences on what the result does not keep. `window` counts from 0.
    """

    def __init__(
        self, node: type[io.ComfyNode], clip: CutClip, num_steps: int, losses: Iterable[str]
    ) -> None:
        self._node, self._steps = node, num_steps
        self._plan = "\n".join([clip.plan.describe(), *losses])
        self._windows = len(clip.plan.windows)
        self._bar = comfy.utils.ProgressBar(num_steps * self._windows)
        self._began_s = 0.0
        self._first = self.window = 0

    def begin_window(self, number: int) -> None:
        """Counts from the first window that this run makes, by which the time that is left is told."""
        if not self._began_s:
            self._began_s, self._first = time.monotonic(), number
        self.window = number

    def on_step(self, step: int, preview: object) -> None:
        self._bar.update_absolute(self.window * self._steps + step, preview=preview)

    def on_progress(self, stage: str, done: int, _total: int) -> None:
        if not done:
            say(self._node, f"{self._plan}\nNow {stage}.{self._left()}")

    def _left(self) -> str:
        """How long the rest takes if it goes on as so far; nothing before a window is finished."""
        made = self.window - self._first
        if not made:
            return ""
        minutes = (time.monotonic() - self._began_s) / made * (self._windows - self.window) / 60
        return f" About {minutes:.0f} min are left." if minutes >= 1 else " Less than a minute is left."


def run_long(
    node: type[io.ComfyNode],
    clip: CutClip,
    prefix: str,
    mask: Path | None,
    num_steps: int,
    *,
    work: Callable[[Told], Work],
    lossless: bool = False,
    notes: Iterable[str] = (),
    more: Mapping[str, str] | None = None,
) -> io.NodeOutput:
    """The finished video, made now or before by this very graph; `num_steps` are those of one window.

    `lossless` is as in `write_video`. `notes` are sentences to show before work, `more` is what decides the result beside the
    graph and the files.

    Raises: `BadInput` as `run_windows`, and where another ComfyUI is making it.
    """
    run = {
        "version": reelpatch.__version__,
        "clip": stamp(clip.header.path),
        "mask": stamp(mask),
        "graph": graph_of(node),
        **item_of_list(),
        **(more or {}),
    }
    record = _record(prefix, run, clip)
    try:
        return _made_or_found(
            *(node, record, run, replace(clip, tags=workflow_tags(node)), mask, num_steps, work, notes),
            lossless=lossless,
        )
    except BaseException:
        record.give_up()
        raise


def _made_or_found(
    node: type[io.ComfyNode],
    record: Record,
    run: Mapping[str, Any],
    clip: CutClip,
    mask: Path | None,
    num_steps: int,
    work: Callable[[Told], Work],
    notes: Iterable[str],
    *,
    lossless: bool,
) -> io.NodeOutput:
    target = record.target
    with owned_output(target):
        if target.exists():
            say(
                node,
                f"{target.name} was finished by this very graph before; delete it to have it made again.",
            )
            return _shown(record)
        inputs = ("video", clip.header.path), ("mask", mask)
        check_output(target, inputs)
        sound = announce_result(clip.result, target, lossless=lossless)
        told = Told(node, clip, num_steps, [*filter(None, notes), *sound.losses])
        of_window = work(told)

        def begun(job: WindowJob, on_progress: OnProgress) -> FinishedWindow:
            told.begin_window(job.number)
            return of_window(job, on_progress)

        run_windows(clip, target, run, begun, told.on_progress, sound=sound, lossless=lossless)
        record.finish()
    return _shown(record)


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


def _record(prefix: str, run: Mapping[str, Any], clip: CutClip) -> Record:
    """Where the result goes, and what it is made with."""
    folder, name = output_place(prefix)
    mark = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()
    height, width = clip.header.size
    about = {
        "clip": clip.header.path.name,
        "frames": clip.plan.clip_frames,
        "size": [width, height],
        "frames per second": str(clip.fps),
        **asked_in(run["graph"]),
        **item_of_list(),
        "nodes": run["graph"],
    }
    return claimed(folder, name, mark, about)


def _shown(record: Record) -> io.NodeOutput:
    target = record.target
    below = target.relative_to(folder_paths.get_output_directory()).parent.as_posix()
    saved = ui.SavedResult(target.name, "" if below == "." else below, io.FolderType.output)
    return io.NodeOutput(RecordedFile(target, record.of_a_copy()), ui=ui.PreviewVideo([saved]))
