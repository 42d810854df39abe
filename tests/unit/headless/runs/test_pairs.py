"""A data set of pairs: what is in it, what a trainer reads of it, and that it is whole however often it was stopped."""

import csv
import json
import os
import random
import signal
import sys
import time
from collections.abc import Generator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.runs.pairs import PairsRequest, run_pairs
from reelpatch.media.video_io import read_video
from tests.forked import forked
from tests.unit.headless.runs.pair_lines import LENIENT, LINES, SETTINGS, contents, pairs, write

Captured = pytest.CaptureFixture[str]


def frames(path: Path) -> np.ndarray:
    return read_video(path, folder_fps=Fraction(1)).frames


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Generator[None]:
    """Runs are compared to the byte, and forked, which takes no threads along."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file of pairs, and the data set made of it."""
    folder = tmp_path_factory.mktemp("pairs")
    file = write(folder, LINES)
    assert pairs(file, folder / "out", *LENIENT) == DONE
    return file, folder / "out"


def test_what_a_data_set_holds(made: tuple[Path, Path]) -> None:
    _, out = made
    assert {path.name for path in out.iterdir()} == {
        *("000000", "000001", "000002", "metadata.csv", "vace.jsonl", "pairs.jsonl", "run.json")
    }
    for number, line in enumerate(LINES):
        place = out / f"{number:06d}"
        assert {path.name for path in place.iterdir()} == {
            "source.mp4",
            "target.mp4",
            "mask.mp4",
            "record.json",
        }
        source, target, mask = (frames(place / f"{name}.mp4") for name in ("source", "target", "mask"))
        assert source.shape == target.shape == mask.shape == (9, 64, 64, 3)
        assert set(np.unique(mask)) <= {0, 255}
        outside = mask[..., 0] == 0
        # Where the mask is 0, no value differs by more than its level, but for single pixels that an opening takes away.
        apart = np.abs(source.astype(int) - target).max(-1)
        assert not outside.any() or (apart[outside] > 24).mean() < 0.01
        record = json.loads((place / "record.json").read_text(encoding="utf-8"))
        assert record["source"] == line["source"]
        assert record["seed"] == line.get("seed", 3 + number)
        assert record["filter"]["min_psnr_outside"] == 0
        assert record["sharing"]["change"] == line["change"]
        assert set(record["measures"]) == {
            "psnr_outside",
            "ssim_outside",
            "change_inside",
            "share",
            "flicker_ratio",
        }
    record = json.loads((out / "000000/record.json").read_text(encoding="utf-8"))
    assert (record["instruction"], record["reverse"]) == ("make the circle blue", "make the circle red")
    record = json.loads((out / "000002/record.json").read_text(encoding="utf-8"))
    assert (
        record["reverse"]
        == "Change 'cyan square in front of the ocean' to 'cyan square in front of a sunset'."
    )


def test_before_the_onset_the_clips_are_equal_to_the_bit_in_their_files(made: tuple[Path, Path]) -> None:
    _, out = made
    source, target = (frames(out / f"000001/{name}.mp4") for name in ("source", "target"))
    assert np.array_equal(source[:5], target[:5])
    assert not np.array_equal(source[5:], target[5:])


def diffsynth_rows(base: Path, keys: str, num_frames: int) -> list[Mapping[str, Any]]:
    """DiffSynth-Studio's reading of `--dataset_metadata_path` with `--data_file_keys`: a row is a dict whose named columns are
    paths below the base, read as frames, cut to 4n + 1 of them."""
    rows: list[Mapping[str, Any]] = []
    with (base / "metadata.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            data: dict[str, Any] = dict(row)
            for key in keys.split(","):
                path = os.path.join(base, data[key])  # noqa: PTH118 -- as theirs does
                clip = read_video(Path(path), folder_fps=Fraction(1)).frames[:num_frames]
                while len(clip) % 4 != 1:
                    clip = clip[:-1]
                data[key] = list(clip)
            rows.append(data)
    return rows


def test_a_trainer_reads_it(made: tuple[Path, Path]) -> None:
    _, out = made
    rows = diffsynth_rows(out, "video,vace_video,vace_video_mask", 49)
    assert len(rows) == 2 * len(LINES)
    assert rows[0]["prompt"] == "make the circle blue"
    assert np.array_equal(rows[0]["video"], frames(out / "000000/target.mp4"))
    assert np.array_equal(rows[0]["vace_video"], frames(out / "000000/source.mp4"))
    assert rows[1]["prompt"] == "make the circle red"
    assert np.array_equal(rows[1]["video"], rows[0]["vace_video"])
    with (out / "vace.jsonl").open(encoding="utf-8") as file:
        vace = [json.loads(line) for line in file]
    assert [one["prompt"] for one in vace] == [row["prompt"] for row in rows]
    assert all((out / one[name]).is_file() for one in vace for name in ("src_video", "src_mask", "video"))


def test_killed_five_times_it_ends_up_the_same(made: tuple[Path, Path], tmp_path: Path) -> None:
    file, whole = made
    out, draw = tmp_path / "out", random.Random(4)

    def run() -> int:
        return pairs(file, out, *LENIENT)

    def killed_in(seconds: float) -> int:
        def dying() -> int:
            signal.signal(signal.SIGPROF, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            signal.setitimer(signal.ITIMER_PROF, seconds)
            return run()

        (ended,) = forked([("killed", dying)])
        return ended.code

    def timed() -> int:
        began = time.process_time()
        code = pairs(file, tmp_path / "timed", *LENIENT)
        sys.stdout.write(f"\n{time.process_time() - began}")
        return code

    (ended,) = forked([("whole", timed)])
    assert ended.code == DONE, ended.err
    usual_s = float(ended.out.split()[-1])  # of the processor, which other work does not change
    codes = [killed_in(draw.uniform(0.1, 0.7) * usual_s) for _ in range(5)]
    assert -signal.SIGKILL in codes, codes
    for place in out.iterdir():
        if place.is_dir() and place.name.isdigit():  # none is there in part
            assert {path.name for path in place.iterdir()} == {
                path.name for path in (whole / place.name).iterdir()
            }
    (ended,) = forked([("to the end", run)])
    assert ended.code == DONE, ended.err
    assert contents(out) == contents(whole)


def test_what_is_finished_is_not_made_again(made: tuple[Path, Path], capsys: Captured) -> None:
    file, whole = made
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*.mp4")}
    assert pairs(file, whole, *LENIENT) == DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["pairs"], told["made"], told["good"]) == (3, 0, 3)
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*.mp4")} == before


def test_another_filter_judges_again_without_making_anything(
    made: tuple[Path, Path], capsys: Captured
) -> None:
    file, whole = made
    assert pairs(file, whole, *LENIENT, "--min-psnr", "99") == DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["made"], told["good"]) == (0, 0)
    record = json.loads((whole / "000000/record.json").read_text(encoding="utf-8"))
    assert "the rest differs too" in record["problems"][0] or "all of the picture" in record["problems"][0]
    assert (whole / "vace.jsonl").read_text(encoding="utf-8") == ""
    assert (whole / "metadata.csv").read_text(encoding="utf-8").count("\n") == 1
    with (whole / "pairs.jsonl").open(encoding="utf-8") as lines:
        assert [json.loads(line)["pair"] for line in lines] == ["000000", "000001", "000002"]
    assert pairs(file, whole, *LENIENT) == DONE


def test_a_line_that_was_changed_is_made_anew(tmp_path: Path, capsys: Captured) -> None:
    file = write(tmp_path, [{**LINES[0], "seed": 3}, LINES[0]])
    assert pairs(file, tmp_path / "out") == DONE
    first = contents(tmp_path / "out/000000")
    write(tmp_path, [{**LINES[0], "seed": 3}, {**LINES[0], "seed": 77}])
    capsys.readouterr()
    assert pairs(file, tmp_path / "out") == DONE
    assert json.loads(capsys.readouterr().out)["made"] == 1
    assert contents(tmp_path / "out/000000") == first


def test_a_folder_of_something_else_is_refused(
    made: tuple[Path, Path], tmp_path: Path, capsys: Captured
) -> None:
    file, whole = made
    assert (
        main(["pairs", str(file), "--out", str(whole), *SETTINGS, "--guidance", "3", "--json"]) == BAD_INPUT
    )
    assert "holds pairs of another run (its recipe differed)" in capsys.readouterr().err
    (tmp_path / "photo.jpg").touch()
    assert pairs(file, tmp_path) == BAD_INPUT
    assert "holds files, but no data set of pairs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1 of PATH is no JSON"),
        ("[1]", "line 1 of PATH is no JSON object"),
        ('{"source": "red circle"}', "line 1 of PATH has no target"),
        ('{"source": "red circle", "target": 3}', "the target of line 1 of PATH is not a text"),
        ('{"source": "red circle", "target": "it", "prompt": ""}', "an unknown field 'prompt'"),
        ('{"source": "red circle", "target": "it", "change": "all"}', "has the change 'all': use one of insertion"),
        ('{"source": "red circle", "target": "it", "noise": "new"}', "has the noise 'new': use same or own"),
        ('{"source": "red circle", "target": "it", "onset": 9}', "has the onset 9, but its clips have the frames 0 to 8"),
        ('{"source": "red circle", "target": "it", "onset": true}', "the onset of line 1 of PATH is not a whole number"),
        ('{"source": "red circle", "target": "it", "seed": -1}', "has the seed -1"),
        ('{"source": "red circle", "target": ""}', "instruction"),
        ('{"source": "red circle", "target": "purple circle"}', "the demo does not know 'purple'"),
        ("\n  \n", "has no line"),
    ],
)  # fmt: skip
def test_lines_that_are_no_pairs(line: str, said: str, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(line, encoding="utf-8")
    assert pairs(path, tmp_path / "out") == BAD_INPUT
    error = capsys.readouterr().err
    assert said.replace("PATH", str(path)) in error
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_and_recipes_that_make_no_pairs(tmp_path: Path, capsys: Captured) -> None:
    assert pairs(tmp_path / "none.jsonl", tmp_path / "out") == BAD_INPUT
    assert "cannot be read" in capsys.readouterr().err
    file = write(tmp_path, LINES)
    assert pairs(file, tmp_path / "out", "--recipe", "demo") == BAD_INPUT
    assert "the recipe 'demo' makes no pairs of clips" in capsys.readouterr().err
    assert pairs(file, tmp_path / "out", "--frames", "8") == BAD_INPUT
    assert "4n + 1" in capsys.readouterr().err


def test_a_language_model_that_fails_is_found_before_a_pair_is_made(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_: Any, **__: Any) -> None:
        raise AssertionError("a pair was made")

    monkeypatch.setattr("reelpatch.headless.hosts.pair_maker.PairMaker.make", made)
    file = write(tmp_path, LINES[1:2])
    assert pairs(file, tmp_path / "set", "--rewrite-url", "http://127.0.0.1:9/v1") == BAD_INPUT
    assert "cannot be reached" in json.loads(capsys.readouterr().out)["error"]


def test_the_pair_that_is_made_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[str] = []
    request = PairsRequest(
        file=write(tmp_path, [LINES[0], LINES[2]]), out=tmp_path / "set", steps=1, device="cpu"
    )
    run_pairs(request, lambda stage, _done, _total: told.append(stage))
    assert {"pair 1/2: denoising", "pair 2/2: denoising"} <= set(told)
