"""The numbers under other kernels: `make test-cpus` runs them as other processors would, and prints a table.

Libraries choose their kernels by what the processor can do, and share sums out among threads; both change the last
bits. Each setting here makes one library choose as on an older processor, so that what would fail on another machine
fails on this one. `python -m tests.cpus TEST...` runs other tests than the usual ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
NUMBERS = ("tests/parity", "tests/unit/sampling", "tests/unit/edits")
BARS = "tests/unit/demo/test_bars.py"  # minutes, so with two threads alone where a setting is made
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "as it is": {},
    "ATEN_CPU_CAPABILITY=default": {"ATEN_CPU_CAPABILITY": "default"},
    "ONEDNN_MAX_CPU_ISA=SSE41": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "ONEDNN_MAX_CPU_ISA=AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "MKL_CBWR=COMPATIBLE": {"MKL_CBWR": "COMPATIBLE"},
}
THREADS = (1, 2)
NUM_COLUMNS = 28


@dataclass(frozen=True)
class Row:
    """One run of the tests; `broken` is why there are no results, empty where there are."""

    passed: int
    skipped: int
    failures: tuple[str, ...]
    broken: str
    seconds: float

    @property
    def is_green(self) -> bool:
        return self.passed > 0 and not self.failures and not self.broken


def run(tests: Sequence[str], setting: Mapping[str, str], threads: int) -> Row:
    """All the tests in one process of their own."""
    # Waiting threads that spin would take the cores from those that work.
    number = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    environment = os.environ | setting | number
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        options = ("-q", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={results}")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        if not results.is_file():
            return Row(0, 0, (), (done.stdout + done.stderr)[-2000:], seconds)
        return read(results, done.stdout[-2000:] if done.returncode not in {0, 1} else "", seconds)


def read(results: Path, broken: str, seconds: float) -> Row:
    """The row of a run from the JUnit file that it left."""
    cases = list(ElementTree.parse(results).iter("testcase"))
    skipped = [case for case in cases if case.find("skipped") is not None]
    bad = [
        f"{case.get('classname')}::{case.get('name')}: {''.join((part.get('message') or '').splitlines()[:1])}"
        for case in cases
        for part in (*case.findall("failure"), *case.findall("error"))
    ]
    return Row(len(cases) - len(skipped) - len(bad), len(skipped), tuple(bad), broken, seconds)


def main(tests: Sequence[str]) -> int:
    """Print one line for each setting and number of threads; 1 where any of them is not green.

    `tests` are run instead of the usual ones.
    """
    say = sys.stdout.write
    say(f"{'setting':{NUM_COLUMNS}} threads  passed  failed  skipped  seconds\n")
    rows: dict[tuple[str, int], Row] = {}
    for name, setting in SETTINGS.items():
        for threads in THREADS:
            usual = NUMBERS if setting and threads == 1 else (*NUMBERS, BARS)
            row = rows[name, threads] = run(tests or usual, setting, threads)
            failed = "broken" if row.broken else str(len(row.failures))
            say(
                f"{name:{NUM_COLUMNS}} {threads:7}  {row.passed:6}  {failed:>6}  {row.skipped:7}  {row.seconds:7.0f}\n"
            )
            sys.stdout.flush()
    for (name, threads), row in rows.items():
        for line in (*row.failures, *filter(None, [row.broken])):
            say(f"{name}, threads {threads}: {line}\n")
    return 0 if all(row.is_green for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
