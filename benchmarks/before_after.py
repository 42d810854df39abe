"""What was made leaner, with and without it in one run: `python -m benchmarks.before_after`, a part of `make bench`.

Counts are those of the plan for Ditto's published job (832x480, 73 frames, fp8 with its LoRA), which tests hold to tensors of full size. Processor
time is that of the demo on one thread, wall time that of stand-ins that sleep. Both sides make the same, which is compared first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from benchmarks import jobs_side_by_side, results, side_by_side
from benchmarks.timing import interleaved, ratio
from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.headless.loaded_recipe import LoadedRecipe
from reelpatch.headless.models import wan_transformer
from reelpatch.headless.models.encoded_clips import EncodedClips
from reelpatch.headless.models.read_ahead import ReadAhead
from reelpatch.headless.picture_editor import PictureEditor
from reelpatch.media.video_io import read_video
from reelpatch.plan.job import Job, count_work
from reelpatch.plan.memory import GIB, SLOTS, step_activations
from reelpatch.plan.models import models_of
from reelpatch.plan.step_memory import step_in_pieces
from reelpatch.recipes import recipe

DITTO = recipe("ditto-global")
JOB = Job(DITTO, 73, (480, 832))
PIECE = 2048
SLEEP_S, SLOW_JOBS = 0.3, 6
EDIT_TURNS = 5
COLD_BYTES, EMBEDS_S = 256 * 2**20, 1.0
INSTRUCTION = "make it sepia"


@dataclass(frozen=True)
class Row:
    """One thing without and with what makes it leaner, in one unit; `same` says how the two outputs were compared."""

    what: str
    unit: str
    before: float
    after: float
    same: str = ""

    @property
    def ratio(self) -> float:
        return self.after / self.before

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def counted() -> Iterator[Row]:
    """What the plan counts of Ditto's job."""
    models = models_of(DITTO, {})
    whole, in_pieces = step_activations(JOB, models), step_in_pieces(JOB, models, PIECE)
    yield Row(f"activations of a step: all tokens at once, pieces of {PIECE}", "GiB, counted", whole / GIB, in_pieces / GIB)  # fmt: skip
    away = models.outside_bytes + SLOTS * models.slot_bytes
    stays = away + models.vae_bytes
    yield Row("weights of a step, every block streamed: the VAE stays on the card, leaves it", "GiB, counted", stays / GIB, away / GIB)  # fmt: skip
    full = count_work(JOB, models).total
    for what, variant in (
        ("guidance at all steps, at the first alone", DITTO.guided(None, 1)),
        ("all steps at full size, the first at half", DITTO.begun_at_half_size(1)),
    ):
        less = count_work(Job(variant, JOB.frames, JOB.size), models).total
        yield Row(f"arithmetic of an edit, VAE and text included: {what}", "PFLOP, counted", full / 1e15, less / 1e15, "another result")  # fmt: skip


def windows_side_by_side() -> Iterator[Row]:
    """Reading, work and keeping of ten windows."""
    beside, after = side_by_side.measure(SLEEP_S)
    yield Row(f"{side_by_side.WINDOWS} windows, read, made and kept in {SLEEP_S:g} s each: in turn, side by side", "s", after, beside, "same bits")  # fmt: skip


def jobs_of_a_batch() -> Iterator[Row]:
    """Reading, denoising and writing of some jobs."""
    seconds = dict.fromkeys(jobs_side_by_side.PLACES, SLEEP_S)
    (after, _), (beside, _) = jobs_side_by_side.both(SLOW_JOBS, seconds)
    yield Row(f"{SLOW_JOBS} demo jobs of a batch, {SLEEP_S:g} s longer to read, denoise and write: in turn, side by side", "s", after, beside, "same bits")  # fmt: skip


def encodes() -> Iterator[Row]:
    """The second edit of a clip."""
    clip = torch.from_numpy(scenes.example(scenes.HELD_OUT).source)
    editor = Editor(recipe("demo"))
    made: dict[str, torch.Tensor] = {}

    def forgets() -> None:
        with mock.patch.object(editor, "_encoded", EncodedClips(most_bytes=0)):
            made["before"] = editor.edit(clip, INSTRUCTION)

    def remembers() -> None:
        made["after"] = editor.edit(clip, INSTRUCTION)

    times = interleaved({"before": forgets, "after": remembers}, turns=EDIT_TURNS, clock=time.process_time)
    _check_same(made["before"], made["after"], "edits of a clip that was encoded before")
    found = _in_turns(times)
    yield Row("an edit of a clip that was edited before: encoded again, not", "s of the processor", *found, "same bits")  # fmt: skip


def texts() -> Iterator[Row]:
    """Edits by the demo's models, which compute what is of the text alone at every step, and once."""
    clip = torch.from_numpy(scenes.example(scenes.HELD_OUT).source)
    makers: dict[str, Callable[[], Callable[[], torch.Tensor]]] = {
        "clip": lambda: partial(Editor(recipe("demo")).edit, clip, INSTRUCTION),
        "picture": lambda: partial(_edited_picture, PictureEditor(recipe("demo-picture")), clip[0]),
    }
    for what, make in makers.items():
        with mock.patch.object(wan_transformer, "compute_texts_once"):
            before = make()
            anew = before()
        after = make()
        _check_same(anew, after(), f"edits of a {what} that compute the text at every step and once")
        times = interleaved({"before": before, "after": after}, turns=EDIT_TURNS, clock=time.process_time)
        yield Row(f"the demo's edit of a {what}: what is of the text alone computed at every step, once", "s of the processor", *_in_turns(times), "same bits")  # fmt: skip


def _edited_picture(editor: PictureEditor, picture: torch.Tensor) -> torch.Tensor:
    return editor.edit(picture, INSTRUCTION).picture


def sessions() -> Iterator[Row]:
    """The second edit of a session, of another clip."""
    clip = to_floats(read_video(_demo_clip(), folder_fps=Fraction(8)).frames)
    loads, real = [0], LoadedRecipe._load_transformer

    def load(*args: Any, **options: Any) -> Any:
        loads[0] += 1
        return real(*args, **options)

    session, made = Editor(recipe("demo")), dict[str, torch.Tensor]()

    def first() -> None:
        made["before"] = Editor(recipe("demo")).edit(clip, INSTRUCTION)

    def second() -> None:
        session._encoded = EncodedClips()
        made["after"] = session.edit(clip, INSTRUCTION)

    with mock.patch.object(LoadedRecipe, "_load_transformer", load):
        times = interleaved({"before": first, "after": second}, turns=EDIT_TURNS, clock=time.process_time)
    # A session's own is among those of the turns that warm up.
    if loads[0] != EDIT_TURNS + 2:
        raise results.Disagree(f"{EDIT_TURNS + 1} sessions and one more loaded {loads[0]} times.")
    _check_same(made["before"], made["after"], "first and second edits")
    yield Row("an edit: the first of a session, the second, which loads nothing", "s of the processor", *_in_turns(times), "same bits")  # fmt: skip


def start() -> Iterator[Row]:
    """Weights that are not in the system's cache, read after the text is embedded, and while it is."""
    if not hasattr(os, "posix_fadvise"):
        return
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:  # on a disk: /tmp may be memory
        path = Path(folder) / "weights"
        part = os.urandom(2**20)
        with path.open("wb") as file:
            for _ in range(COLD_BYTES // len(part)):
                file.write(part)
            os.fsync(file.fileno())
        reads = [_read_after_text(path, is_ahead=is_ahead) for is_ahead in (False, True)]
    yield Row(f"{COLD_BYTES >> 20} MiB of weights, not in the system's cache, {EMBEDS_S:g} s of text first: read then, read ahead", "s to read them", *reads)  # fmt: skip


def _read_after_text(path: Path, *, is_ahead: bool) -> float:
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if is_ahead:
            ReadAhead([path]).begin()
        time.sleep(EMBEDS_S)
        began = time.perf_counter()
        while file.read(2**20):
            pass
        return time.perf_counter() - began


def commands() -> Iterator[Row]:
    """The command line from its start to its end, and whether the garbage collector goes through what it imports."""
    with tempfile.TemporaryDirectory() as folder:
        made = {name: Path(folder) / f"{name}.mkv" for name in ("before", "after")}

        def run(name: str) -> None:
            script = _COMMAND if name == "after" else _AS_BEFORE + _COMMAND
            told = ["edit", str(_demo_clip()), INSTRUCTION, "--output", str(made[name])]
            on_one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
            subprocess.run(
                [sys.executable, "-c", script, *told], check=True, capture_output=True, env=on_one_thread
            )

        contenders = {name: partial(run, name) for name in made}
        times = interleaved(contenders, turns=EDIT_TURNS, clock=_seconds_of_children)
        before, after = (
            torch.from_numpy(read_video(made[name], folder_fps=Fraction(8)).frames) for name in made
        )
        _check_same(before, after, "edits by the command line")
    yield Row("the command that edits the demo's clip, from its start to its end: what it imports gone through for garbage, left alone", "s of the processor", *_in_turns(times), "same bits")  # fmt: skip


_COMMAND = "import sys; from reelpatch.headless.commands.main import main; sys.exit(main())"
_AS_BEFORE = (
    "import contextlib; from reelpatch.headless.models import lasting_imports as ours; "
    "ours.lasting_imports = contextlib.nullcontext; "
)


def _seconds_of_children() -> float:
    """Of the processor, in processes that were started here and have ended."""
    used = os.times()
    return used.children_user + used.children_system


SECTIONS: tuple[Callable[[], Iterator[Row]], ...] = (
    counted,
    windows_side_by_side,
    jobs_of_a_batch,
    encodes,
    texts,
    sessions,
    start,
    commands,
)


def measure() -> list[Row]:
    """All of it, on one thread. Raises: `Disagree` where what is the same is not."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [row for section in SECTIONS for row in section()]
    finally:
        torch.set_num_threads(threads)


def lines(rows: list[dict[str, Any]]) -> list[str]:
    """As a table."""
    return [
        "| without it, and with it | in | before | after | ratio | results |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['what']} | {row['unit']} | {row['before']:.3g} | {row['after']:.3g} | {row['ratio']:.3f} | {row['same']} |"
            for row in rows
        ),
    ]


def _in_turns(times: Any) -> tuple[float, float]:
    """The median before, and after so that their ratio is the median of those of the turns."""
    before = times["before"].median
    return before, before * ratio(times["after"], times["before"])["ratio"]


def _check_same(one: torch.Tensor, other: torch.Tensor, what: str) -> None:
    if not torch.equal(one, other):
        raise results.Disagree(f"{what} differ; no times are reported.")


def _demo_clip() -> Path:
    return Path(__file__).parents[1] / "workflows/reelpatch_demo_clip.mp4"


def main() -> None:
    sys.stdout.write("\n".join(lines([row.as_dict() for row in measure()])) + "\n")


if __name__ == "__main__":
    main()
