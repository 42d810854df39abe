"""What would take far more memory than its file has bytes is refused before it is unpacked; an option lifts it."""

import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch

from reelpatch.errors import BadInput
from reelpatch.headless.commands.main import BAD_INPUT, main
from reelpatch.weights.pickle_sizes import MAX_UNPACKED_BYTES
from reelpatch.weights.pickles import open_pickle

HUGE = b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\xa0\x72\x4e\x18\x09\x85R."  # bytearray(10**13)


def rewritten(path: Path, change: dict[str, bytes], *, deflated: str = "") -> Path:
    """The archive with other content under the names of `change`, and what ends as `deflated` compressed."""
    with zipfile.ZipFile(path) as file:
        entries = {entry.filename: file.read(entry) for entry in file.infolist()}
    out = path.with_name(f"bomb_{path.name}")
    with zipfile.ZipFile(out, "w") as file:
        for name, data in entries.items():
            new = change.get(name.split("/", 1)[-1], data)
            is_deflated = bool(deflated) and name.endswith(deflated)
            file.writestr(name, new, zipfile.ZIP_DEFLATED if is_deflated else zipfile.ZIP_STORED)
    return out


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.pt"
    torch.save({"a.weight": torch.ones(8, 8)}, path)
    return path


def test_a_program_that_inflates_is_refused_before_it_does(plain: Path) -> None:
    program = b"\x80\x02" + b"X" + (2**25).to_bytes(4, "little") + bytes(2**25) + b"."
    bomb = rewritten(plain, {"data.pkl": program}, deflated="data.pkl")
    assert bomb.stat().st_size < 2**20
    tracemalloc.start()
    with pytest.raises(BadInput, match=r"unpacks to 33.6 MB .* where 8.39 MB is the bound: .*lift the bound"):
        open_pickle(bomb)
    assert tracemalloc.get_traced_memory()[1] < MAX_UNPACKED_BYTES
    tracemalloc.stop()


def test_the_option_lifts_the_bound(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"version": b"3\n" + bytes(MAX_UNPACKED_BYTES)}
    large = rewritten(plain, more, deflated="version")
    out = plain.parent / "out"
    assert main(["convert", str(large), "--out", str(out)]) == BAD_INPUT
    assert "is the bound" in capsys.readouterr().err
    assert main(["convert", str(large), "--out", str(out), "--any-size"]) == BAD_INPUT
    assert "no complete VACE model" in capsys.readouterr().err  # it was opened


def test_tensors_that_claim_more_than_their_file(tmp_path: Path) -> None:
    path = tmp_path / "wide.pt"
    torch.save({"a.weight": torch.ones(1).expand(2**20, 2**10)}, path)
    with pytest.raises(BadInput, match=r"its tensors claim 4.29e\+03 MB, more than 2 times as much"):
        open_pickle(path)
    assert open_pickle(path, any_size=True)["a.weight"].shape == (2**20, 2**10)


@pytest.mark.parametrize("any_size", [False, True])
def test_memory_out_of_a_number_is_never_made(plain: Path, *, any_size: bool) -> None:
    with pytest.raises(BadInput, match="holds a bytearray besides weights, which was not made"):
        open_pickle(rewritten(plain, {"data.pkl": HUGE}), any_size=any_size)


def test_compressed_tensors_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "zeros.pt"
    torch.save({"a.weight": torch.zeros(2**22)}, path)
    bomb = rewritten(path, {}, deflated="data/0")
    with pytest.raises(BadInput, match="has its tensors compressed"):
        open_pickle(bomb)
