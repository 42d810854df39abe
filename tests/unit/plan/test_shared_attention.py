"""What a plan counts of attention sharing: two clips in every forward, and what is read twice as long."""

from dataclasses import replace

import pytest
import torch
from diffusers import WanTransformer3DModel
from torch._subclasses.fake_tensor import FakeTensorMode

from reelpatch.edits.contract import Moment
from reelpatch.edits.sharing.edit import SharingEdit
from reelpatch.edits.sharing.schedule import SCHEDULES
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.plan.job import Job, Pass, count_work
from reelpatch.plan.memory import step_activations
from reelpatch.plan.models import models_of
from reelpatch.recipes import Recipe, recipe
from tests.unit.plan.live_bytes import LiveBytes

FRAMES, SIZE = 81, (480, 832)


def job(settings: Recipe) -> Job:
    return Job(settings, FRAMES, SIZE)


def changed(name: str, change: str) -> Recipe:
    settings = recipe(name)
    assert settings.sharing is not None
    return replace(settings, sharing=replace(settings.sharing, change=change))


def test_without_sharing_it_is_two_clips() -> None:
    two = job(changed("shared-attention", "none"))
    models = models_of(two.recipe, {})
    one = job(replace(two.recipe, sharing=None))
    assert count_work(two, models).denoise == count_work(one, models).denoise * 2
    assert two.num_prompts == one.num_prompts + 1
    # All tensors of tokens are there twice; the rows of text and modulation are not.
    assert 1.9 < step_activations(two, models) / step_activations(one, models) <= 2


@pytest.mark.parametrize("change", SCHEDULES)
def test_only_concat_costs(change: str) -> None:
    shared, plain = (job(changed("shared-attention", one)) for one in (change, "none"))
    models = models_of(shared.recipe, {})
    each = models.backbone.flops(shared.tokens).self_attention // models.backbone.num_blocks
    assert shared.recipe.sharing is not None
    levels = [one.shared_at for one in shared.passes()]
    assert None not in levels
    doubled = sum(shared.recipe.sharing.doubled_blocks(level or 0.0, 40) for level in levels)
    more = count_work(shared, models).denoise.total - count_work(plain, models).denoise.total
    assert more == 2 * each * doubled
    assert (doubled > 0) == (change not in ("none", "background"))


def test_of_insertion_the_middle_of_the_run_is_read_twice() -> None:
    settings = changed("shared-attention", "insertion")
    doubled = [settings.sharing.doubled_blocks(one.shared_at or 0.0, 40) for one in job(settings).passes()]  # type: ignore[union-attr]
    assert set(doubled) == {0, 40}
    # 40 % of 50 steps, of two passes each; a step at a border may fall on either side of it.
    assert abs(doubled.count(40) - 2 * 0.4 * 50) <= 2


def test_an_edit_that_is_off_shares_nothing() -> None:
    off = job(replace(recipe("shared-attention"), strength=0.0))
    assert {one.shared_at for one in off.passes()} == {None}
    models = models_of(off.recipe, {})
    assert off.pass_flops(models, Pass(0, 0)) == models.backbone.flops(off.tokens) * 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=["bf16", "fp32"])
def test_a_step_that_reads_two_clips_holds_what_the_plan_says(dtype: torch.dtype) -> None:
    """Two blocks stand for all: each frees what it made."""
    settings = changed("shared-attention", "motion")
    asked = job(settings)
    models = replace(models_of(settings, {}), has_loras=False)
    if dtype is torch.float32:
        models = replace(models, compute_bytes=4, backbone_bytes=4)
    with FakeTensorMode():
        torch.set_default_dtype(dtype)
        try:
            backbone = WanTransformer3DModel(
                num_attention_heads=40, attention_head_dim=128, ffn_dim=13824, num_layers=2
            )
        finally:
            torch.set_default_dtype(torch.float32)
        for name, parameter in backbone.named_parameters():
            if any(part in name for part in ("time_embedder", "scale_shift_table", "norm2")):
                parameter.data = parameter.data.float()
        latents, text = torch.zeros(2, 16, 21, 60, 104), torch.zeros(2, 512, 4096, dtype=dtype)
        assert settings.sharing is not None
        with torch.no_grad(), LiveBytes() as live:
            predict_velocity(
                *(backbone, latents, text),
                moment=Moment(0.9, 0, 4, (True, True)),
                edits=[SharingEdit(settings.sharing)],
            )
    assert step_activations(asked, models) == pytest.approx(live.peak, rel=0.02)
