"""Files of jobs: a job is a command line, and each wrong one is told in a sentence and stops no other."""

import json
import shlex
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reelpatch.errors import BadInput
from reelpatch.headless.commands.batch_fields import JobParser
from reelpatch.headless.commands.batch_lines import read_jobs
from reelpatch.headless.commands.main import BAD_INPUT, DONE, build_parser, main
from tests.unit.headless.runs.batch_jobs import batch, material, report, write_batch, write_jobs

Captured = pytest.CaptureFixture[str]
MAX_ADDED_BYTES = 150 * 2**20
"""By 10,000 lines over what ten take, which is PyTorch: about 80 MB, 8 KB a line, were seen."""


def parsers() -> Mapping[str, ArgumentParser]:
    actions = build_parser()._actions
    return next(one.choices for one in actions if isinstance(one, _SubParsersAction))


def jobs_of(fields: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    parser = JobParser(parsers(), folder, {})
    return [vars(parser.options_of(job)) for job in parser.jobs_of(fields)]


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        (
            {
                "verb": "edit",
                "clip": "/c.mp4",
                "instruction": "-make it",
                "seed": 7,
                "when": "0-3",
                "lossless": True,
            },
            "edit --seed 7 --when 0-3 --lossless -- /c.mp4 '-make it'",
        ),
        (
            {
                "verb": "edit",
                "clip": "/c.mp4",
                "instruction": "x",
                "window_frames": 5,
                "fit": True,
                "crop": "8",
            },
            "edit --window-frames 5 --fit --crop 8 -- /c.mp4 x",
        ),
        (
            {
                "verb": "edit",
                "clip": "/c.mp4",
                "instruction": "x",
                "lora": ["/a:0.5", "/b"],
                "lossless": False,
            },
            "edit --lora /a:0.5 --lora /b -- /c.mp4 x",
        ),
        (
            {"verb": "edit", "clip": "/c.mp4", "edits": "/e.json", "grow": -3, "no-text-cache": True},
            "edit --edits /e.json --grow=-3 --no-text-cache -- /c.mp4",
        ),
        (
            {"verb": "enhance", "clip": "/c.mp4", "out": "/o.mkv", "fit": "crop"},
            "enhance --out /o.mkv --fit crop -- /c.mp4",
        ),
        (
            {
                "verb": "task",
                "task": "keep",
                "prompt": "x",
                "clip": "/c.mp4",
                "keep": "0,2",
                "box": ["0,0,8,8"],
            },
            "task --clip /c.mp4 --keep 0,2 --box 0,0,8,8 -- keep x",
        ),
        (
            {"verb": "picture", "image": "/p.png", "guidance": 1.5, "lossless": None},
            "picture --guidance 1.5 -- /p.png",
        ),
    ],
)
def test_a_job_is_the_command_line(fields: dict[str, Any], command: str, tmp_path: Path) -> None:
    fields = {name: value for name, value in fields.items() if value is not None}
    (found,) = jobs_of(fields, tmp_path)
    verb, *arguments = shlex.split(command)
    assert found == vars(parsers()[verb].parse_args(arguments))


def test_relative_files_begin_at_the_folder_of_the_jobs(tmp_path: Path) -> None:
    (found,) = jobs_of(
        {"verb": "edit", "clip": "c.mp4", "instruction": "x", "lora": "l.safetensors:0.5"}, tmp_path
    )
    assert found["clip"] == tmp_path / "c.mp4"
    assert found["loras"] == [(tmp_path / "l.safetensors", (0.5,))]


def test_a_pattern_makes_a_job_for_each_file(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mp4", "c.txt", "[x].mp4"):
        (tmp_path / name).touch()
    fields = {"verb": "edit", "clip": "*.mp4", "instruction": "x", "output": "o/{clip}_x.mp4"}
    found = jobs_of(fields, tmp_path)
    assert [one["clip"].name for one in found] == ["[x].mp4", "a.mp4", "b.mp4"]
    assert [one["output"] for one in found] == [
        tmp_path / "o" / f"{name}_x.mp4" for name in ("[x]", "a", "b")
    ]
    (named,) = jobs_of({"verb": "enhance", "clip": "[x].mp4"}, tmp_path)
    assert named["clip"] == tmp_path / "[x].mp4"


def test_each_combination_of_values_makes_a_job(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    each = {"instruction": ["make it sepia", "make it blue!"], "seed": [1, 2]}
    fields = {"verb": "edit", "clip": "*.mp4", "each": each, "output": "o/{clip}_{instruction}_{seed}.mp4"}
    found = jobs_of(fields, tmp_path)
    assert [(one["instruction"], one["seed"]) for one in found] == [
        *(("make it sepia", 1), ("make it sepia", 2), ("make it blue!", 1), ("make it blue!", 2))
    ]
    assert [one["output"].name for one in found] == [
        f"a_make_it_{word}_{seed}.mp4" for word in ("sepia", "blue") for seed in (1, 2)
    ]


EDIT = {"verb": "edit", "clip": "a.mp4", "instruction": "make it sepia", "steps": 1}
BAD = [
    (
        {"verb": "edit", "clip": "a.mp4", "instruction": "x", "colour": 4},
        "a field 'colour', which is no option of edit",
    ),
    ({"verb": "edit", "clip": "none.mp4", "instruction": "make it sepia"}, "none.mp4: check the path"),
    ({**EDIT, "output": "same.mp4"}, "same.mp4 is that of line 5 too"),
    ({**EDIT, "output": "same.mp4", "seed": 2}, "same.mp4 is that of line 4 too"),
    ({"verb": "sing"}, "has the verb 'sing': its field verb is one of edit, enhance, task, picture"),
    ({"clip": "a.mp4"}, "has no verb"),
    ({**EDIT, "each": {"seed": 3}}, "its field each is no object of lists"),
    ({**EDIT, "each": {"seeds": [3]}}, "a field 'seeds', which is no option of edit"),
    ({"verb": "pairs", "file": "p.jsonl"}, "run `reelpatch pairs FILE`"),
    ({**EDIT, "clip": "none*.mp4"}, "the pattern 'none*.mp4' of its clip finds no file"),
    ({**EDIT, "clip": "*.mp4", "output": "one.mp4"}, "that of another file that its pattern finds"),
    ({"verb": "edit", "instruction": "make it sepia"}, "has no field clip, which edit needs"),
    ({**EDIT, "seed": "seven"}, "'seven' is no whole number"),
    ({**EDIT, "seed": True}, "the field seed has no text or number"),
    ({**EDIT, "seed": [1, 2]}, "the field seed has several values"),
    ({**EDIT, "lossless": "maybe"}, "the field lossless is 'maybe': write true"),
    ({**EDIT, "when": "0-99", "output": "w.mp4"}, "99"),
    ({**EDIT, "mask": "none.png", "output": "m.mp4"}, "none.png"),
    ({**EDIT, "output": "b.mp4"}, "is the clip of line"),
    ({**EDIT, "output": "jobs.jsonl"}, "jobs.jsonl"),
    ({**EDIT, "recipe": "no-such", "output": "r.mp4"}, "no-such"),
    ({**EDIT, "json": True}, "says how a verb answers"),
    ({"verb": "task", "task": "control", "prompt": "x"}, "a clip"),
    ({**EDIT, "defaults": {"seed": 1}}, "stand alone in the first line"),
    ({**EDIT, "steps": float("nan")}, "NaN in it, which is no number"),
    ({**EDIT, "window-frames": 5, "window_frames": 9}, "one field in two spellings"),
    ({"verb": "enhance", "clip": "b.mp4"}, ""),  # and one that is right
]


def test_each_wrong_job_has_its_sentence_and_the_rest_is_done(models_folder: Path, tmp_path: Path) -> None:
    path = write_batch(tmp_path, [job for job, _ in BAD], models_folder)
    with path.open("ab") as file:
        file.write(
            b'{"verb": "edit", \n[1, 2]\n\n' + b"[" * 100_000 + b"\n\xff\xfe\n" + b'{"a": 1, "a": 2}\n'
        )
        file.write(
            b'{"verb": "edit", "clip": "'
            + b"x" * (50 * 2**20)
            + b'"}\n{"verb": "enhance", "clip": "a.mp4"}\n'
        )
    assert batch(path) == BAD_INPUT
    jobs = report(path)["jobs"]
    for number, (job, sentence) in enumerate(BAD):
        for found in (one for one in jobs if one["line"] == number + 2):
            assert (found["sentence"] is None) == (not sentence), (job, found)
            assert sentence in (found["sentence"] or ""), (job, found)
            assert (found["sentence"] or "x").count("\n") == 0
    last = [one["sentence"] for one in jobs][-7:]
    told = (
        "is no JSON:",
        "is no JSON object",
        "nested too deeply",
        "no text in UTF-8",
        "a field twice",
        "longer than 1 MiB",
    )
    assert all(words in sentence for words, sentence in zip(told, last, strict=False)), last
    assert [job["state"] for job in jobs if job["verb"] == "enhance"] == ["done", "done"]


def test_a_table_has_the_same_jobs(tmp_path: Path) -> None:
    table = tmp_path / "jobs.csv"
    table.write_text(
        "\ufeffverb,clip,instruction,reference,reference,seed,lossless\n"
        'edit,a.mp4,"make it sepia, and\nblue",r.png,s.png,7,true\n'
        "\n"
        "edit,b.mp4,make it blue,,,,\n"
        "edit,b.mp4,make it blue,,,,,too many\n"
        'edit,"b"x.mp4,make it blue,,,,\n',
        encoding="utf-8",
    )
    lines = list(read_jobs(table, None).lines)
    assert [line.number for line in lines] == [3, 5, 6, 7]
    (first,) = jobs_of(lines[0].fields, tmp_path)
    assert first["instruction"] == "make it sepia, and\nblue"
    assert first["reference"] == [tmp_path / "r.png", tmp_path / "s.png"]
    assert (first["seed"], first["lossless"]) == (7, True)
    assert lines[1].fields == {"verb": "edit", "clip": "b.mp4", "instruction": "make it blue"}
    assert "8 cells, but the table has 7 columns" in lines[2].wrong
    assert "no row of a table" in lines[3].wrong


@pytest.mark.parametrize("between", [";", "\t", ", "])
def test_a_table_may_be_separated_as_spreadsheets_elsewhere_write_it(tmp_path: Path, between: str) -> None:
    """Where the comma is the decimal sign, that is a semicolon; by hand, people write spaces."""
    table = tmp_path / "jobs.csv"
    rows = ("verb", "clip", "instruction"), ("edit", "a.mp4", '"make it sepia, and blue"')
    table.write_text("".join(f"{between.join(row)}\r\n" for row in rows))
    (line,) = read_jobs(table, None).lines
    assert line.fields == {"verb": "edit", "clip": "a.mp4", "instruction": "make it sepia, and blue"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"clip": ["a.mp4", "b.mp4"]}, "the field clip has several values, but may be given once"),
        ({"seeds": 3}, "no option of edit, did you mean 'seed'"),
    ],
)
def test_a_field_that_is_not_meant_so_is_told(fields: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    job = {"verb": "edit", "clip": "a.mp4", "instruction": "make it sepia", **fields}
    with pytest.raises(BadInput, match=sentence):
        jobs_of(job, tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("none.jsonl", None, "cannot be read"),
        ("jobs.txt", "", "does not end in .jsonl or .csv"),
        ("jobs.jsonl", "", "has no line"),
        ("jobs.csv", "", "has no line"),
        ("jobs.csv", "\x00" * 2**21, "names no columns"),
        ("jobs.jsonl", '{"defaults": {"defaults": {}}}\n', "defaults"),
        ("jobs.jsonl", '{"defaults": {"seed": {"deep": 1}}}\n', "no text, finite number"),
        ("jobs.jsonl", '{"defaults": {"colour": 1}}\n', "which is no option of edit, enhance, task, picture"),
        ("jobs.jsonl", '{"defaults": 3}\n', "are not written as"),
        ("jobs.jsonl", '{"defaults": {"seed": 3}}\n', "has defaults, but no job"),
    ],
)
def test_a_file_that_is_none_is_told_in_a_sentence(
    name: str, text: str | None, sentence: str, tmp_path: Path, capsys: Captured
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    assert main(["batch", str(tmp_path / name), "--dry-run"]) == BAD_INPUT
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1


def test_defaults_are_those_of_the_file_then_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text('{"seed": 1, "steps": 3, "when": "0-3"}')
    (tmp_path / "jobs.jsonl").write_text(
        '{"defaults": {"seed": 2}}\n{"verb": "enhance", "clip": "c.mp4", "steps": 9}\n'
    )
    file = read_jobs(tmp_path / "jobs.jsonl", tmp_path / "d.json")
    parser = JobParser(parsers(), tmp_path, file.defaults)
    (line,) = file.lines
    (job,) = parser.jobs_of(line.fields)
    assert (job["seed"], job["steps"], "when" in job) == (2, 9, False)  # enhance has no time range
    with pytest.raises(BadInput, match="no option"):
        JobParser(parsers(), tmp_path, {"colour": 1})


def test_a_dry_run_writes_nothing_and_says_what_each_job_takes(
    models_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    path = write_batch(tmp_path, [EDIT], models_folder)
    before = sorted(tmp_path.iterdir())
    assert batch(path, "--dry-run", "--json") == DONE
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert job["work"] | {"frame_range": [0, 4], "width": 32, "height": 32, "frames": 5} == job["work"]
    assert job["plan"]["tflop"] > 0
    assert job["plan"]["memory_gib"] > 0
    assert sorted(tmp_path.iterdir()) == before


PEAKS = """
import resource, sys
from reelpatch.headless.commands.main import main
for path in sys.argv[1:]:
    code = main(["batch", path, "--dry-run"])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print("code and bytes:", code, most)
models = {"diffusers", "transformers", "peft", "accelerate"} & set(sys.modules)
print(*sorted(models), file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells no peak of memory in this way")
def test_ten_thousand_lines_take_little_more_memory_than_ten(models_folder: Path, tmp_path: Path) -> None:
    """One process reads both: what it has held at most with ten is what the others come on top of."""
    material(tmp_path)
    counts = (10, 10_000)

    def jobs_file(count: int) -> Path:
        kinds: list[dict[str, Any]] = [
            EDIT,
            {"verb": "enhance", "clip": "b.mp4"},
            {**EDIT, "mask": "mask.png"},
            {"verb": "enhance", "clip": "a.mp4", "steps": 3},
        ]
        jobs = [kinds[number % 4] | {"seed": number, "output": f"{number}.mp4"} for number in range(count)]
        return write_jobs(tmp_path / f"{count}.jsonl", jobs, models_folder)

    command = [sys.executable, "-c", PEAKS, *(str(jobs_file(count)) for count in counts)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[4])
    assert run.stderr.splitlines()[-1] == "", "nothing that runs models is imported to check and plan"
    out = run.stdout.splitlines()
    ends = [number for number, line in enumerate(out) if line.startswith("code and bytes: ")]
    assert [end - begin for begin, end in pairwise([-1, *ends])] == [count + 2 for count in counts]
    told = [out[end].split()[-2:] for end in ends]
    assert [int(code) for code, _ in told] == [DONE, DONE]
    few, many = (int(most) for _, most in told)
    assert many - few < MAX_ADDED_BYTES
