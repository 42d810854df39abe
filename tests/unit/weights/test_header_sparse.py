"""A file of 17 GB is identified from its header: next to no memory, and no time that grows with it."""

import time
from pathlib import Path

from reelpatch.weights.header import Kind, identify
from reelpatch.weights.oddities import oddities
from tests.unit.weights.fixtures import models
from tests.unit.weights.fixtures.files import anonymous_bytes, plain, write


def test_17_gb_are_identified_in_no_time_and_memory(tmp_path: Path) -> None:
    shapes = models.t2v_14b() | models.vace_module_14b()
    path = write(tmp_path / "wan2.1_vace_14B_fp8_e4m3fn.safetensors", plain(shapes, "F8_E4M3"))
    assert path.stat().st_size > 17e9
    before, start_s = anonymous_bytes(), time.perf_counter()
    file = identify(path)
    told_s = time.perf_counter() - start_s
    assert oddities(file) == ()
    grown = anonymous_bytes() - before
    assert (file.kind, file.size) == (Kind.VACE, "14B")
    print(f"identified in {told_s * 1e3:.1f} ms, anonymous memory grew by {grown / 2**20:.1f} MiB")  # noqa: T201
    assert grown < 100e6
