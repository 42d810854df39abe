"""Edits odd inputs that public bug reports describe: each ends as an edited clip or as one sentence with exit code 2.

`python -m tests.cases GENERATOR [NAME ...]` writes the inputs with GENERATOR, a script that is called with a folder and the
names of cases, runs `reelpatch edit` on each in a process of its own, and prints a line for each. Exit code 1 if anything
failed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from tests.forked import Ended, forked

LIMIT_S = 300
EDIT = ("make it sepia", "--fit", "--steps", "1", "--window-frames", "0", "--size", "16x16", "--json")
MAX_CHARACTERS = 1000  # of a sentence, whose paths may be long


@dataclass(frozen=True)
class Job:
    """An input, the arguments of the edit that takes it, and where its result goes, a folder of its own."""

    name: str
    arguments: tuple[str, ...]
    output: Path

    def __call__(self) -> int:
        return main(["edit", *self.arguments, *EDIT, "--output", str(self.output)])


def jobs_of(case: str, folder: Path, results: Path) -> Iterator[Job]:
    """One for each input of a case: clips, or masks, LoRAs and models folders with a clip that is as usual."""
    about = {"masks": "--mask", "loras": "--lora", "models": "--models"}
    option = about.get(case)
    clip = folder / "clip.mp4" if case == "masks" else folder.parent / "usual.mp4"
    for number, path in enumerate(sorted(folder.iterdir())):
        place = results / f"{case}_{number}"
        place.mkdir(parents=True)
        arguments = (str(path),) if option is None else (str(clip), option, str(path))
        yield Job(f"{case}/{path.name}", arguments, place / "out.mp4")


def fault_of(ended: Ended, output: Path) -> str:
    """What is wrong with how an edit ended; nothing where nothing is."""
    if ended.is_too_long:
        return f"no end within {LIMIT_S} s"
    if "Traceback (most recent call last)" in ended.err or ended.code not in {DONE, BAD_INPUT}:
        return f"exit code {ended.code}, or a traceback: {(ended.err.strip().splitlines() or [''])[-1]}"
    try:
        answer = json.loads(ended.out)
    except ValueError:
        return "stdout holds no JSON"
    if ended.code == DONE:
        return "" if output.exists() else "nothing was written"
    if fault := fault_in(answer["error"]):
        return fault
    left = [path.name for path in output.parent.iterdir()]
    return f"left behind: {', '.join(left)}" if left else ""


def fault_in(said: str) -> str:
    """What is wrong with a sentence; nothing where nothing is."""
    if "--help" in said:
        return f"the command line was not understood: {said}"
    if not said.endswith(".") or "\n" in said or len(said) > MAX_CHARACTERS:
        return f"what is said is not one sentence: {said}"
    return ""


def said_of(ended: Ended) -> str:
    """The sentence, or how long the result is."""
    try:
        answer = json.loads(ended.out)
    except ValueError:
        return ""
    return answer.get("error") or f"{answer.get('frames')} frames at {answer.get('fps_exact')}"


def names_of(generator: Path) -> list[str]:
    """The cases that a generator knows, by its functions `case_NAME`."""
    lines = generator.read_text(encoding="utf-8").splitlines()
    return [line[len("def case_") : line.index("(")] for line in lines if line.startswith("def case_")]


def write_usual_clip(path: Path) -> None:
    """A clip for the cases that are about other files."""
    from reelpatch.media.video_io import Video
    from reelpatch.media.video_write import write_video
    from tests.conftest import moving_square

    write_video(Video(moving_square(13, 64, 64), Fraction(8)), path)


def import_what_edits() -> None:
    """What every edit would import by itself, once for all of them."""
    import diffusers
    import transformers

    import reelpatch.headless.runs.edit

    assert diffusers.WanTransformer3DModel
    assert transformers.UMT5EncoderModel
    assert reelpatch.headless.runs.edit.run_edit


def run(generator: Path, folder: Path, names: list[str], num_jobs: int) -> int:
    """Writes the inputs of these cases into a new folder, edits them, prints what came of it; returns the exit code."""
    inputs, results = folder / "inputs", folder / "results"
    inputs.mkdir(parents=True)
    subprocess.run([sys.executable, str(generator), str(inputs), *names], check=True)
    write_usual_clip(inputs / "usual.mp4")
    import_what_edits()
    jobs = {job.name: job for name in names for job in jobs_of(name, inputs / name, results)}
    num_faults = 0
    for ended in forked(((name, partial(job)) for name, job in jobs.items()), jobs=num_jobs, limit_s=LIMIT_S):
        fault = fault_of(ended, jobs[ended.name].output)
        num_faults += bool(fault)
        line = f"FAILED {fault}" if fault else f"{ended.code}  {said_of(ended)}"
        sys.stdout.write(f"{ended.name!a}: {line}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(jobs)} inputs, {num_faults} failed\n")
    return int(num_faults > 0)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generator", type=Path)
    parser.add_argument("names", nargs="*", help="cases (all)")
    parser.add_argument("--out", type=Path, help="a new folder for inputs and results (a temporary one)")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    folder = options.out or Path(tempfile.mkdtemp(prefix="reelpatch_cases_"))
    return run(options.generator, folder, options.names or names_of(options.generator), options.jobs)


if __name__ == "__main__":
    raise SystemExit(_main())
