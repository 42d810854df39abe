"""Clips that are made of references alone: what the model sees, how guidance goes, what it costs, and what is refused."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.frames import plan_fit
from reelpatch.edits.segments.work import SegmentsWork
from reelpatch.edits.work import EditSettings, Material
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.headless.commands.main import BAD_INPUT, DONE, main
from reelpatch.headless.editor import Editor
from reelpatch.headless.runs.request import EditRequest, TaskRequest
from reelpatch.headless.runs.settings import edit_settings
from reelpatch.headless.runs.task import run_task
from reelpatch.headless.runs.task_layout import task_settings
from reelpatch.media.video_io import read_video
from reelpatch.plan.job import Job, count_work
from reelpatch.plan.models import models_of
from reelpatch.recipes import RECIPES, Recipe, recipe
from reelpatch.sampling.condition_sets import ConditionSet, Sees
from tests.conftest import moving_square
from tests.golden.deterministic import make_input
from tests.golden.rounding import rounding

NAMES = ("bernini-r-r2v", "bernini-r-1.3b-r2v")
CLIP = to_floats(moving_square())
PLAN = plan_fit(9, 32, 32, lattice=WAN.lattice)
NOTHING = ConditionSet(is_instructed=False, sees=Sees.NOTHING)
SEEN, TOLD = (ConditionSet(is_instructed=told, sees=Sees.REFERENCES) for told in (False, True))


def tiny(name: str) -> Recipe:
    """The method on the demo's files, in two steps."""
    files = tuple(file for file in recipe("demo").files if file.role not in ("module", "lora"))
    return replace(recipe(name), files=files, steps=2)


def averaged(video: Tensor) -> Tensor:
    """Stands for a VAE where only places and shapes matter: the mean of each cell, 16 times."""
    small = torch.nn.functional.avg_pool3d(video[:, ::4], (1, 8, 8))
    return small.repeat(6, 1, 1, 1)[:16]


@pytest.fixture
def still(tmp_path: Path) -> Path:
    Image.fromarray(np.full((40, 64, 3), (250, 20, 20), np.uint8)).save(tmp_path / "still.png")
    return tmp_path / "still.png"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_its_authors_run(name: str) -> None:
    """`scripts/bernini_r/run_r2v.sh`, with what `bernini/cli.py` and the model's config.json have for the rest."""
    record = recipe(name)
    assert (record.width, record.height, record.frames, record.fps) == (848, 480, 81, 16)
    assert (record.steps, record.shift, record.solver, len(record.negative_prompt)) == (40, 3.0, "unipc", 137)
    assert record.prompt_for("A cat.", references=1) == (
        "You are a helpful assistant specialized in subject-to-video generation.A cat."
    )
    assert (record.segments and record.segments.reference_px) == 848
    chain = record.guidance_for(3).chain(0)
    assert [(one.origin, one.end, one.weight) for one in chain.links] == [
        (NOTHING, SEEN, 4.5),
        (SEEN, TOLD, 4.0),
    ]
    assert record.has_two_experts == (name == "bernini-r-r2v")
    assert record.low_noise_guidance == (0.8 if record.has_two_experts else 1.0)


def test_guidance_is_the_published_chain() -> None:
    """`normalized_guidance_chain` of Bernini, word by word: each way is projected on the prediction that it leads to."""
    shape = (1, 4, 3, 4, 6)
    nothing, seen, told = (make_input(shape, *wave) * 40 for wave in ((0.13, 1.0), (0.29, 2.0), (0.41, 0.5)))
    expected, base = nothing, nothing
    for prediction, weight in ((seen, 4.5), (told, 4.0)):
        step = prediction - base
        length = step.norm(p=2, dim=[-1, -2, -4], keepdim=True)
        step = step * torch.minimum(torch.ones_like(step), 50.0 / length)
        direction = torch.nn.functional.normalize(prediction.double(), dim=[-1, -2, -4])  # type: ignore[arg-type]
        along = (step.double() * direction).sum(dim=[-1, -2, -4], keepdim=True) * direction
        expected = expected + weight * ((step.double() - along) + 0.5 * along).float()
        base = prediction
    chain = recipe("bernini-r-1.3b-r2v").guidance.chain(0)
    found = chain.combine({NOTHING: nothing, SEEN: seen, TOLD: told})
    assert float((found - expected).abs().max()) <= rounding(float(expected.abs().max()), 16)
    assert float((found - told).abs().max()) > 1


def test_only_references_are_seen_numbered_from_one() -> None:
    settings = EditSettings(method=recipe("bernini-r-1.3b-r2v").segments)
    stills = (torch.rand(20, 40, 3), torch.rand(1000, 1700, 4))
    encoded: list[int] = []

    def encode(video: Tensor) -> Tensor:
        encoded.append(video.shape[1])
        return averaged(video)

    prepared = SegmentsWork().prepare(Material(CLIP, PLAN, references=stills), settings, encode)
    assert encoded == [1, 1], "the clip is not encoded"
    assert (prepared.shape, prepared.references) == ((16, 3, 4, 4), 0)
    assert [(one.is_reference, one.is_numbered) for one in prepared.seen] == [(True, True)] * 2
    assert [tuple(one.latents.shape[1:]) for one in prepared.seen] == [(1, 2, 6), (1, 62, 106)]


def test_a_clip_is_made_of_files(still: Path, models_folder: Path, tmp_path: Path) -> None:
    name = "bernini-r-1.3b-r2v"
    editor = Editor(tiny(name), models_folder)

    def made(picture: Path) -> np.ndarray:
        out = tmp_path / f"{picture.stem}.mkv"
        request = TaskRequest(
            *("reference", "a red ball"),
            **{"references": (picture,), "recipe": name, "steps": 2, "output": out},
            **{"size": (32, 48), "frames": 5, "lossless": True},
        )
        result = run_task(request, models=editor)
        video = read_video(result.output, folder_fps=Fraction(1))
        assert video.fps == 16
        return video.frames

    first = made(still)
    assert first.shape == (5, 32, 48, 3)
    same, other = (tmp_path / f"{name}.png" for name in ("same", "other"))
    shutil.copy(still, same)
    assert np.array_equal(first, made(same))
    Image.fromarray(np.full((64, 40, 3), (20, 20, 250), np.uint8)).save(other)
    # Random weights see little of it, by the version of PyTorch that draws them: 0.4 with 2.9, 0.9 with 2.13.
    assert np.abs(first.astype(int) - made(other)).mean() > 0.1, "it depends on what the reference shows"


def test_what_is_laid_out_is_not_seen(models_folder: Path) -> None:
    editor, stills = Editor(tiny("bernini-r-1.3b-r2v"), models_folder), [torch.rand(32, 32, 3)]
    made = editor.render(CLIP, "a red ball", references=stills)
    assert torch.equal(made, editor.render(1 - CLIP, "a red ball", references=stills))


@pytest.mark.parametrize("count", [1, 5, 16])
def test_a_plan_counts_no_clip(count: int) -> None:
    record = recipe("bernini-r-1.3b-r2v")
    job, models = Job(record, 81, (480, 848), references=count), models_of(record, {})
    assert job.tokens == (21 + count) * 30 * 53
    passes = list(job.passes())
    assert len(passes) == 3 * 40
    assert [job.tokens_seeing(one.sees) for one in passes[:3]] == [21 * 1590, *[(21 + count) * 1590] * 2]
    assert count_work(job, models).encode == count * models.vae.encode_flops(1, (480, 848))


def test_a_plan_says_what_a_run_would() -> None:
    record = recipe("bernini-r-r2v")
    for count, words in ((0, "no references were given"), (17, "17 references were given")):
        with pytest.raises(BadInput, match=words) as caught:
            Job(record, 81, (480, 848), references=count)
        assert caught.value.settings == ("references",)


def test_the_plan_takes_the_fewest_references_unless_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--recipe", "bernini-r-1.3b-r2v", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out)["clip"]["references"] == 1
    assert main(["plan", "--recipe", "bernini-r-1.3b", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out)["clip"]["references"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("reference", "--recipe", NAMES[1]), "the task 'reference' needs a reference: add it (--reference)"),
        (("inpaint", "--recipe", NAMES[0]), "does not know the task 'inpaint': use the task 'reference'"),
        (
            ("reference", "--recipe", "videocof"),
            "'videocof' edits a clip by an instruction and lays out no task",
        ),
        (
            ("reference", "--recipe", "bernini-r"),
            "such as vdot or bernini-r-r2v or bernini-r-1.3b-r2v (--recipe)",
        ),
        (
            ("extend", "--recipe", "capybara"),
            "'capybara' edits a clip by an instruction and lays out no task",
        ),
        (("repaint", "--recipe", NAMES[0]), "there is no task 'repaint'"),
    ],
)
def test_what_no_method_can_do_is_refused(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    task, *rest = arguments
    assert main(["task", task, "a cat", *rest]) == BAD_INPUT
    said = capsys.readouterr().err
    assert words in said, said


def test_too_many_references_are_refused_before_they_are_read() -> None:
    request = TaskRequest("reference", "a cat", recipe=NAMES[0], references=(Path("none.png"),) * 17)
    with pytest.raises(BadInput, match="17 references were given, but this method looks at 16 at most"):
        task_settings(request)
    assert task_settings(replace(request, references=request.references[:16])).name == NAMES[0]


@pytest.mark.parametrize("name", NAMES)
def test_no_clip_is_edited_by_it(name: str) -> None:
    with pytest.raises(
        BadInput, match=f"'{name}' makes a clip of references alone and sees none that could be edited"
    ):
        edit_settings(EditRequest(Path("x.mp4"), "remove the lamp", recipe=name))
    assert {one for one, record in RECIPES.items() if not record.sees_clip} == set(NAMES)
