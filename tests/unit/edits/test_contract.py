from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from reelpatch.edits.contract import Capability, Forward, Moment, begin_edits, check_needs
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid

FORWARD = Forward(
    tokens=torch.zeros(1, 1, 4),
    grid=TokenGrid(1, 1, 1),
    modulation=torch.zeros(1, 6, 4),
    text=torch.zeros(1, 2, 4),
    rotary=None,
    num_blocks=2,
    moment=Moment(sigma=0.5, step=0, num_steps=2, conditional=(True,)),
    num_channels=4,
    head_dim=4,
    embed=lambda latents: latents,
)


@dataclass
class Affine:
    """tokens -> factor * tokens + offset after block 1, unless it was skipped."""

    factor: float
    offset: float
    is_on: bool = True
    needs: frozenset[Capability] = field(default=frozenset({Capability.ADD_AFTER_BLOCK}))

    def begin(self, forward: Forward) -> "Affine | None":
        return self if self.is_on and forward.moment.step == 0 else None

    def after_block(self, index: int, tokens: Tensor, *, was_skipped: bool = False) -> Tensor:
        return self.factor * tokens + self.offset if index == 1 and not was_skipped else tokens


def test_edits_stack_in_order() -> None:
    running = begin_edits([Affine(2.0, 0.0), Affine(1.0, 5.0, is_on=False), Affine(1.0, 1.0)], FORWARD)
    assert len(running.parts) == 2
    assert running.after_block(0, torch.tensor(3.0)) == 3
    assert running.after_block(1, torch.tensor(3.0)) == 7
    assert running.after_block(1, torch.tensor(3.0), was_skipped=True) == 3


def test_no_edits_change_nothing() -> None:
    tokens = torch.ones(2)
    assert begin_edits([], FORWARD).after_block(1, tokens) is tokens


@pytest.mark.parametrize("need", Capability)
def test_a_host_refuses_what_it_cannot_do_by_name(need: Capability) -> None:
    edit = Affine(1.0, 1.0, needs=frozenset({need}))
    check_needs([edit], frozenset({need}), host="this test")
    with pytest.raises(BadInput, match=f"Affine cannot run in this test: .*cannot {need.value}"):
        check_needs([edit], frozenset(Capability) - {need}, host="this test")
