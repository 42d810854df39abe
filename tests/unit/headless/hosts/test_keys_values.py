from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from torch import Tensor

from reelpatch.edits.contract import Moment
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.errors import BadInput
from reelpatch.headless.hosts.wan_host import predict_velocity
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input
from tests.toy_kind.sharing import OtherKeysValues

MOMENT = Moment(sigma=0.625, step=0, num_steps=4, conditional=(True,))
LATENTS, TEXT = make_input((1, 4, 3, 4, 6)), make_input((1, 512, 24), 0.17, 1.0)
CONTEXT = make_input((12, 3, 4, 6), 0.23, 3.0)
BACKBONE, _, MODULE = tiny_wan.vace((0, 2), 12)
HINTS = VaceEdit(MODULE, [VaceContext(CONTEXT)])


@pytest.fixture
def backbone() -> Iterator[WanTransformer3DModel]:
    before = [block.attn1.processor for block in BACKBONE.blocks]
    yield BACKBONE
    assert [block.attn1.processor for block in BACKBONE.blocks] == before


@torch.no_grad()
def run(backbone: WanTransformer3DModel, *edits: Any, **options: Any) -> Tensor:
    return predict_velocity(backbone, LATENTS, TEXT, moment=MOMENT, edits=edits, **options)


@contextmanager
def scaled(block: Any, keys: float, values: float) -> Iterator[None]:
    """The same by the weights: keys are scaled by their norm, values by their layer; factors of 2 round nothing."""
    parts = (
        (block.attn1.norm_k.weight, keys),
        (block.attn1.to_v.weight, values),
        (block.attn1.to_v.bias, values),
    )
    for part, factor in parts:
        part.data.mul_(factor)
    yield
    for part, factor in parts:
        part.data.div_(factor)


def test_keys_and_values_that_are_given_back_change_nothing(backbone: WanTransformer3DModel) -> None:
    assert torch.equal(run(backbone, OtherKeysValues()), run(backbone))


@pytest.mark.parametrize("others", [(), (HINTS,)])
def test_other_keys_and_values_are_the_plain_formula(
    backbone: WanTransformer3DModel, others: tuple[Any, ...]
) -> None:
    edit = OtherKeysValues(block=1, keys=4.0, values=0.5)
    found = run(backbone, edit, *others)
    with scaled(backbone.blocks[1], 4.0, 0.5):
        assert torch.equal(found, run(backbone, *others))
    assert tiny_wan.largest_difference(found, run(backbone, *others)) > 1e-3


def test_edits_go_on_from_each_other(backbone: WanTransformer3DModel) -> None:
    both = run(backbone, OtherKeysValues(keys=2.0), OtherKeysValues(values=0.5))
    assert torch.equal(both, run(backbone, OtherKeysValues(keys=2.0, values=0.5)))


def test_there_may_be_more_of_them(backbone: WanTransformer3DModel) -> None:
    # Shown twice, each weighs half: the same but for the rounding of sums twice as long, of numbers about 1.
    assert tiny_wan.largest_difference(run(backbone, OtherKeysValues(times=2)), run(backbone)) < 1e-5


def test_a_skipped_block_reads_none(backbone: WanTransformer3DModel) -> None:
    edit, skipped = OtherKeysValues(block=1, values=0.5), frozenset({1})
    assert torch.equal(run(backbone, edit, skipped_blocks=skipped), run(backbone, skipped_blocks=skipped))


def test_projections_that_are_fused_are_read_too(backbone: WanTransformer3DModel) -> None:
    edit = OtherKeysValues(values=0.5)
    before = run(backbone, edit)
    layer: Any = backbone.blocks[1].attn1
    layer.fuse_projections()
    try:
        # One product of three widths in place of three products: other kernels, sums of the same numbers.
        assert tiny_wan.largest_difference(run(backbone, edit), before) < 1e-5
    finally:
        layer.unfuse_projections()


def test_attention_of_another_package_is_refused(backbone: WanTransformer3DModel) -> None:
    class Theirs(WanAttnProcessor):
        pass

    layer: Any = backbone.blocks[2].attn1
    own, layer.processor = layer.processor, Theirs()
    try:
        with pytest.raises(BadInput, match="self-attention of this backbone is computed by Theirs"):
            run(backbone, OtherKeysValues())
        assert isinstance(layer.processor, Theirs)
        run(backbone)  # nobody asks for keys
    finally:
        layer.processor = own
