"""A file of 17 GB is identified from its header: next to no memory, and no more is read than that."""

from pathlib import Path

from reelpatch.weights.header import Kind, identify
from reelpatch.weights.oddities import oddities
from tests.unit.weights.fixtures import models
from tests.unit.weights.fixtures.files import anonymous_bytes, plain, read_bytes, write


def test_17_gb_are_identified_from_their_first_bytes(tmp_path: Path) -> None:
    shapes = models.t2v_14b() | models.vace_module_14b()
    path = write(tmp_path / "wan2.1_vace_14B_fp8_e4m3fn.safetensors", plain(shapes, "F8_E4M3"))
    assert path.stat().st_size > 17e9
    with path.open("rb") as file:
        num_header_bytes = 8 + int.from_bytes(file.read(8), "little")
    before, read_before = anonymous_bytes(), read_bytes()
    file = identify(path)
    read = read_bytes() - read_before
    assert oddities(file) == ()
    grown = anonymous_bytes() - before
    assert (file.kind, file.size) == (Kind.VACE, "14B")
    assert read < 2 * num_header_bytes
    assert grown < 100e6
