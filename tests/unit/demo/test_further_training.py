"""What the edit module learns further from, and that nothing else learns."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import judge
from reelpatch.recipes import recipe
from training import further, latents, picture_films, run, vae
from training.further_scenes import (
    FIRST_SEED,
    SEEDS_OF_A_SHARD,
    edits_of,
    examples_of,
    first_frame_given,
    other_of,
)
from training.model import DemoFamily
from training.restore import restore_family, restore_vae
from training.words import encode

SEEDS = range(FIRST_SEED, FIRST_SEED + 12)


@pytest.fixture(scope="module")
def family() -> DemoFamily:
    family = DemoFamily()
    restore_family(family, further.MODELS)
    return family.requires_grad_(False).eval()


def test_edits_of_a_scene_are_told_apart_by_words_alone() -> None:
    """The judge passes each for its own result, and no copy; the clip is the same."""
    for seed in SEEDS:
        edits = edits_of(seed)
        assert len({edit.instruction for edit in edits}) == len(edits)
        for edit in edits:
            assert np.array_equal(edit.source, edits[0].source)
            assert judge(edit, edit.target).hit
            assert not judge(edit, edit.source).hit
        if edits[0].num_things == 2:
            assert not judge(edits[0], edits[1].target).hit


def test_a_given_frame_is_shown_as_the_recipe_shows_it() -> None:
    plain = edits_of(FIRST_SEED)[0]
    given = first_frame_given(plain)
    lead = recipe("demo").held_frames - 1
    assert len(given.source) == len(given.mask) == len(given.target) == scenes.NUM_FRAMES + lead
    assert np.array_equal(given.target[lead:], plain.target)
    assert np.array_equal(given.source[lead + 1 :], plain.source[1:])
    assert np.array_equal(given.source[: lead + 1], given.target[: lead + 1])
    assert given.mask[: lead + 1].max() == 0
    assert given.mask[lead + 1 :].min() == 1


def test_no_scene_was_held_out_and_no_shard_has_those_of_another() -> None:
    seeds = {example.seed for part in examples_of(FIRST_SEED) for example in part}
    assert min(seeds) >= FIRST_SEED
    assert max(seeds) < FIRST_SEED + SEEDS_OF_A_SHARD
    last = FIRST_SEED + further.MOST_SHARDS * SEEDS_OF_A_SHARD
    assert last < picture_films.FIRST_SEED < scenes.HELD_OUT


def test_other_examples_have_masks_of_all_kinds() -> None:
    assert {other_of(seed).mask_kind for seed in SEEDS} >= {"half", "object", "time"}


def test_a_clip_that_examples_share_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = vae.build()
    restore_vae(model, further.MODELS)
    encoded: list[int] = []
    encode = latents.whole_clip.encode

    def counted(vae: Any, video: Tensor) -> Tensor:
        encoded.append(len(video))
        return encode(vae, video)

    monkeypatch.setattr(latents.whole_clip, "encode", counted)
    statistics = latents.Statistics(torch.zeros(16, 1, 1, 1), torch.ones(16, 1, 1, 1))
    edits = edits_of(FIRST_SEED)[:2]
    both = latents.encode_examples(model.eval(), statistics, edits)
    assert encoded == [1, 1, 2]  # gray, the source, two results
    alone = latents.encode_examples(model, statistics, edits[1:])
    for name in ("inactive", "reactive", "target", "mask"):
        # Half precision of values around 1; a batch of another size adds up in another order.
        torch.testing.assert_close(both[name][1:].float(), alone[name].float(), atol=0.02, rtol=0)


def test_the_lora_is_added_and_the_module_is_shared(family: DemoFamily) -> None:
    lora = load_file(further.MODELS / further.LORA)
    fast = further.with_lora(family, lora)
    assert fast.vace is family.vace
    name = "blocks.3.ffn.2"
    up, down = (lora[f"diffusion_model.{name}.lora_{side}.weight"].float() for side in ("up", "down"))
    before, after = (one.get_submodule(name).weight for one in (family, fast))
    torch.testing.assert_close(after, before + up @ down)
    assert not torch.equal(after, before)


def test_steps_are_the_recipe_s_and_end_where_they_should() -> None:
    """A transformer that is right everywhere has no error, and one that is not is asked about at each of the recipe's levels."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(2, 16, 3, 8, 8, generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    part = further.Part(clean, torch.zeros(2, 96, 3, 8, 8), torch.zeros(2, 1, 4), noise)
    levels: list[float] = []

    def right(x: Tensor, sigma: Tensor, *_: Any) -> Tensor:
        levels.append(float(sigma[0]))
        return (x - clean) / sigma.view(-1, 1, 1, 1, 1)

    assert further.few_steps_loss(right, part).item() < 1e-8  # type: ignore[arg-type]  # a function in its place
    shift, steps = recipe("demo").shift, recipe("demo").steps
    expected = [shift * u / (1 + (shift - 1) * u) for u in (1 - i / steps for i in range(steps))]
    assert levels == pytest.approx(expected)
    assert all(a > b for a, b in pairwise(levels))
    wrong = further.few_steps_loss(lambda x, *_: 0 * x, part)  # type: ignore[arg-type, return-value]
    assert wrong.item() > 1


def drawn_part(family: DemoFamily, generator: torch.Generator) -> further.Part:
    """Two examples of four latent frames."""
    clean, noise = torch.randn(2, 2, 16, 4, 8, 8, generator=generator)
    context = torch.randn(2, 96, 4, 8, 8, generator=generator)
    text = family.embed_text(encode(["remove it", "make the circle blue"]))
    return further.Part(clean, context, text, noise, torch.tensor([0.3, 0.8]))


def test_steps_at_once_are_those_one_by_one(family: DemoFamily, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same error and the same gradients, whichever way a GPU or a CPU is spared."""
    monkeypatch.setattr(run, "has_fast_bfloat16", lambda: False)
    fast = further.with_lora(family, load_file(further.MODELS / further.LORA))
    family.vace.requires_grad_(True)
    part = drawn_part(family, torch.Generator().manual_seed(0))
    losses, gradients = [], []
    for loss_of in (further.few_steps_loss, further.few_steps_loss_at_once):
        loss = loss_of(fast, part)
        family.vace.zero_grad()
        loss.backward()
        losses.append(loss.detach())
        gradients.append([parameter.grad.clone() for parameter in family.vace.parameters()])  # type: ignore[union-attr]  # all have one
    torch.testing.assert_close(losses[0], losses[1])
    for one, other in zip(*gradients, strict=True):
        # fp32 sums of four steps in another order, of numbers up to the largest of them.
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def test_the_module_alone_gets_gradients(family: DemoFamily) -> None:
    fast = further.with_lora(family, load_file(further.MODELS / further.LORA))
    family.vace.requires_grad_(True)
    generator = torch.Generator().manual_seed(0)
    part = drawn_part(family, generator)
    (further.few_steps_loss(fast, part) + further.many_steps_loss(family, part)).backward()
    learn = {name for name, parameter in family.named_parameters() if parameter.grad is not None}
    assert learn == {f"vace.{name}" for name, _ in family.vace.named_parameters()}
    assert all(parameter.grad is None for name, parameter in fast.named_parameters() if "vace" not in name)
