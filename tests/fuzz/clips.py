"""Mutated clips and masks: each is read, or refused in one sentence; no traceback, no crash, no hang.

`python -m tests.fuzz.clips [--number 20000] [--first 0] [--also N ...] [--jobs 1] [--seconds 5] [--keep FOLDER]` runs mutants of nine containers and seven kinds of
mask, each in a process of its own, and keeps those that fail. The same number makes the same mutant.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
from PIL import Image

from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from tests.forked import Ended, forked
from tests.fuzz.mutants import cut, flip

MAX_WAIT_S = 120  # of one mutant, for one that waits
MAX_BYTES = 2 * 2**30  # in memory, with all that is imported
HEADER_BYTES = 1500
SIZE, NUM_FRAMES, RATE = 32, 9, 8
# Container, codec, pixel format and codec of the sound.
FILMS: dict[str, tuple[str, str, str | None]] = {
    "mp4": ("libx264", "yuv420p", "aac"),
    "mov": ("mpeg4", "yuv420p", "pcm_s16le"),
    "mkv": ("ffv1", "bgr0", "flac"),
    "webm": ("libvpx-vp9", "yuv420p", "libopus"),
    "avi": ("mpeg4", "yuv420p", "mp2"),
    "ts": ("libx264", "yuv420p", "aac"),
    "wmv": ("wmv2", "yuv420p", "wmav2"),
    "flv": ("flv", "yuv420p", "aac"),
    "gif": ("gif", "rgb8", None),
}
MASKS = ("png", "jpg", "webp", "bmp", "gif", "tif", "mp4")


def write_films(folder: Path) -> None:
    """One small film of every container, with sound where it takes some."""
    for ending, (codec, pixels, sound) in FILMS.items():
        _write_film(folder / f"clip.{ending}", codec, pixels, sound)


def write_masks(folder: Path) -> None:
    """One mask of every kind for them, white in a box."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[8:20, 4:24] = 255
    for ending in MASKS:
        if ending == "mp4":
            _write_film(folder / "mask.mp4", "libx264", "yuv420p", None)
        else:
            Image.fromarray(mask).save(folder / f"mask.{ending}")


def _write_film(path: Path, codec: str, pixels: str, sound: str | None) -> None:
    random = np.random.default_rng(0)
    with av.open(path, "w") as output:
        stream: Any = output.add_stream(codec, rate=RATE)
        stream.width = stream.height = SIZE
        stream.pix_fmt = pixels
        tone: Any = output.add_stream(sound, rate=44100 if sound != "libopus" else 48000) if sound else None
        if tone is not None:
            tone.layout, tone.bit_rate = "mono", 128_000
        for index in range(NUM_FRAMES):
            picture = random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture).reformat(format=pixels)
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if tone is not None:
            _add_sound(output, tone)


def _add_sound(output: Any, tone: Any) -> None:
    samples = np.zeros((1, tone.rate * NUM_FRAMES // RATE), np.float32)
    wave = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    wave.sample_rate, wave.pts, wave.time_base = tone.rate, 0, Fraction(1, tone.rate)
    context = tone.codec_context
    cutter = av.AudioResampler(
        context.format, layout="mono", rate=tone.rate, frame_size=context.frame_size or 1024
    )
    for piece in [*cutter.resample(wave), *cutter.resample(None), None]:
        output.mux(tone.encode(piece))


def mutant(random: Random, content: bytes) -> bytes:
    """A file with damage in its header, in its middle or at its end, or cut, or with a stretch in another place."""
    kind = random.randrange(6)
    if kind == 0:
        return cut(random, content)
    if kind == 1:
        a, b = sorted(random.randrange(len(content)) for _ in range(2))
        to = random.randrange(len(content))
        return content[:to] + random.choice((content[a:b], bytes(b - a), b"\xff" * 40)) + content[to:]
    begin, end = {
        2: (0, min(HEADER_BYTES, len(content))),
        3: (len(content) // 4, len(content) * 3 // 4),
        4: (max(0, len(content) - HEADER_BYTES), len(content)),
    }.get(kind, (0, len(content)))
    part = content[begin:end]
    for _ in range(random.choice((1, 1, 2, 8))):
        part = flip(random, part)
    return content[:begin] + part + content[end:]


def write_mutant(number: int, originals: Path, folder: Path) -> Path:
    """The mutant of that number."""
    random = Random(number)
    names = [f"clip.{ending}" for ending in FILMS] + [f"mask.{ending}" for ending in MASKS]
    name = names[number % len(names)]
    path = folder / f"{number}_{name}"
    path.write_bytes(mutant(random, (originals / name).read_bytes()))
    return path


def try_mutant(number: int, originals: Path, folder: Path, max_cpu_s: int | None = None) -> int:
    """Edits a mutant up to where weights are needed, of which there are none; writes it again, with its sound, if it is read.

    Returns: `DONE`, or what is wrong as the exit code of the command.
    """
    if max_cpu_s is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (max_cpu_s, max_cpu_s + 1))
    place = folder / str(number)
    (place / "no_models").mkdir(parents=True)
    path = write_mutant(number, originals, place)
    clip, mask = (path, []) if "_clip" in path.name else (originals / "clip.mkv", ["--mask", str(path)])
    options = ["--models", str(place / "no_models"), "--output", str(place / "x.mp4"), "--json"]
    code = main(["edit", str(clip), "make it sepia", "--fit", "--window-frames", "5", *mask, *options])
    if code == BAD_INPUT and not mask:
        rewrite(path, place / "y.mkv")
    if code == BAD_INPUT:
        shutil.rmtree(place)
        return DONE
    return code or BAD_INPUT


def rewrite(path: Path, target: Path) -> None:
    """Reads a clip and writes it, unless one of the two is refused in a sentence."""
    from reelpatch.media.video_io import read_video
    from reelpatch.media.video_write import write_video

    try:
        write_video(read_video(path, folder_fps=Fraction(1)), target)
    except BadInput as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")


def fault_of(ended: Ended) -> str:
    """What is wrong with how a mutant ended; nothing where nothing is."""
    if ended.is_too_long:
        return f"no end within {MAX_WAIT_S} s"
    if ended.code != DONE:
        last = (ended.err.strip().splitlines() or [""])[-1]
        return (
            "more time than is allowed"
            if ended.code == -signal.SIGXCPU
            else f"exit code {ended.code}: {last}"
        )
    if ended.max_bytes > MAX_BYTES:
        return f"{ended.max_bytes >> 20} MiB in memory"
    for line in ended.out.splitlines():
        said = json.loads(line)["error"]
        if not said.endswith(".") or "\n" in said:
            return f"not one sentence: {said}"
    return ""


def import_what_edits() -> None:
    """What every edit would import by itself, once for all of them."""
    import reelpatch.headless.runs.edit

    assert reelpatch.headless.runs.edit.run_edit
    assert reelpatch.headless.runs.edit


def faults(
    numbers: Sequence[int], folder: Path, *, jobs: int = 1, max_cpu_s: int | None = None
) -> Iterator[tuple[str, str]]:
    """The mutants that failed, and how; `folder` is new, and holds these afterwards."""
    originals = folder / "originals"
    originals.mkdir(parents=True)
    write_films(originals)
    write_masks(originals)
    import_what_edits()
    calls = ((str(number), partial(try_mutant, number, originals, folder, max_cpu_s)) for number in numbers)
    for ended in forked(calls, jobs=jobs, limit_s=MAX_WAIT_S):
        if fault := fault_of(ended):
            yield ended.name, fault


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument(
        "--also", type=int, nargs="*", default=[], help="numbers beside those, such as found ones"
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--seconds", type=int, default=5, help="processor time that one mutant may take (%(default)s)"
    )
    parser.add_argument("--keep", type=Path, help="a new folder for those that fail (a temporary one)")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="reelpatch_fuzz_")) / "mutants"
    numbers = [*range(options.first, options.first + options.number), *options.also]
    count = 0
    for name, fault in faults(numbers, folder, jobs=options.jobs, max_cpu_s=options.seconds):
        count += 1
        sys.stdout.write(f"{name}: {fault}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(numbers)} mutants, {count} failed; those are in {folder}\n")
    return int(count > 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(_main())
