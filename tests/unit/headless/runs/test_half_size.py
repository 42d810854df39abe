"""The first steps at half the size: what they begin is what the others go on from, with the forwards and tokens that are planned."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from reelpatch.clips.frames import plan_fit
from reelpatch.edits.half_size import enlarged, half_material
from reelpatch.edits.work import Material
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.headless.hosts.ranks.torchrun import check_shareable
from reelpatch.headless.runs.request import EditRequest
from reelpatch.headless.runs.settings import edit_settings
from reelpatch.plan.job import Job, count_work
from reelpatch.plan.lighter import lighter_runs
from reelpatch.plan.models import models_of
from reelpatch.recipes import recipe

DEMO = recipe("demo").guided(1.2)
CLIP = torch.from_numpy(scenes.example(scenes.HELD_OUT).source)[:5]
ORDER = "make it sepia"


def seen_tokens(editor: Editor, clip: Tensor = CLIP, mask: Tensor | None = None) -> tuple[list[int], Tensor]:
    """Of each forward, and the edited clip."""
    seen: list[int] = []
    block = editor.transformer().backbone.blocks[0]
    handle = block.register_forward_pre_hook(lambda _block, given: seen.append(given[0].shape[1]))
    made = editor.edit(clip, ORDER, mask=mask, seed=3)
    handle.remove()
    return seen, made


@pytest.mark.parametrize("steps", [1, 3])
def test_as_many_forwards_at_half_the_size_as_are_planned(steps: int) -> None:
    settings = DEMO.begun_at_half_size(steps)
    seen, _ = seen_tokens(Editor(settings))
    job = Job(settings, 5, (64, 64))
    planned = [job.at_half_size.tokens if one.is_half else job.tokens for one in job.passes()]
    assert seen == planned == 2 * steps * [2 * 2 * 2] + 2 * (4 - steps) * [2 * 4 * 4]


def test_the_result_is_another_but_near_and_the_same_each_time() -> None:
    editor = Editor(DEMO)
    full = seen_tokens(editor)[1]
    half, again = (seen_tokens(editor.under(DEMO.begun_at_half_size(1)))[1] for _ in range(2))
    assert torch.equal(half, again)
    assert not torch.equal(half, full)
    assert (half - full).abs().mean() < 0.25 * (CLIP - full).abs().mean()
    assert torch.equal(seen_tokens(editor.under(DEMO))[1], full)


def test_full_size_goes_on_from_what_half_the_size_made() -> None:
    """A mask that is shown keeps acting, and another beginning is another result."""
    settings = DEMO.begun_at_half_size(2)
    editor = Editor(settings)
    mask = torch.zeros(5, 64, 64)
    mask[:, :, 32:] = 1
    made = seen_tokens(editor, mask=mask)[1]
    assert torch.equal(made[:, :, :32], CLIP[:, :, :32])
    assert not torch.equal(made, seen_tokens(editor.under(DEMO), mask=mask)[1])


def test_a_clip_that_is_fitted_is_halved_as_it_is_worked_on() -> None:
    """Half of 176 pixels, 88, is no legal side: the nearest is 96."""
    clip, mask = torch.rand(3, 60, 170, 3), torch.rand(3, 60, 170)
    plan = plan_fit(3, 60, 170, lattice=WAN.lattice, method="pad")
    assert (plan.frames, plan.size) == (5, (64, 176))
    half = half_material(Material(clip, plan, mask))
    assert (half.plan.source_size, half.plan.size, half.plan.frames) == ((64, 176), (32, 96), 5)
    assert half.mask is not None
    assert half.clip.shape == (5, 64, 176, 3)
    assert half.mask.shape == (5, 64, 176)


def test_latents_are_enlarged_where_they_stand() -> None:
    small = torch.arange(4.0)[None, None, None, :].expand(16, 2, 3, 4)
    large = enlarged(small, (16, 2, 6, 8))
    assert large.shape == (16, 2, 6, 8)
    assert large[0, 0, 0].tolist() == [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]
    with_references = torch.stack([torch.zeros(16, 3, 4), torch.ones(16, 3, 4)], dim=1)
    assert enlarged(with_references, (16, 2, 6, 8)).mean(dim=(0, 2, 3)).tolist() == [0.0, 1.0]


def test_the_plan_says_what_it_takes() -> None:
    ditto = recipe("ditto-global")
    job, models = Job(ditto, 73, (480, 832)), models_of(ditto, {})
    found = [one for one in lighter_runs(job, models) if one.half_size_steps]
    assert [(one.guidance_steps, one.half_size_steps, one.forwards) for one in found] == [
        (None, 1, 8),
        (1, 1, 5),
    ]
    quarter = job.at_half_size.tokens
    assert quarter == job.tokens / 4
    full, half = (
        models.backbone.flops(tokens) + models.module.flops(tokens) for tokens in (job.tokens, quarter)
    )  # type: ignore[union-attr]
    skipped = 1 - count_work(job, models).denoise.total / (
        8 * full.total
    )  # by the negative passes that go around a block
    assert found[0].times == pytest.approx((6 + 2 * half.total / full.total) / 8, abs=skipped)
    begun = replace(job, recipe=ditto.begun_at_half_size(1))
    assert not any(one.half_size_steps for one in lighter_runs(begun, models))
    assert count_work(job, models).encode < count_work(begun, models).encode


def test_processes_that_share_a_run_refuse_it() -> None:
    with pytest.raises(BadInput, match="made by one process on one card, but several share this run"):
        check_shareable(DEMO.begun_at_half_size(1))
    check_shareable(DEMO)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("demo", {"half_size_steps": 4}, "the first 4 steps were asked for at half the size, but the run has 4.*use 1 to 3"),
        ("demo", {"half_size_steps": 0}, "use 1 to 3"),
        ("bernini-r-1.3b", {"half_size_steps": 1}, "'bernini-r-1.3b' cannot begin at half the size"),
    ],
)  # fmt: skip
def test_what_cannot_begin_at_half_the_size_is_refused(
    name: str, options: dict[str, object], words: str
) -> None:
    request = EditRequest(clip=scenes.__file__, instruction=ORDER, recipe=name, **options)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=words):
        edit_settings(request)
