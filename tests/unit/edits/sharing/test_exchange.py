"""What a clip reads by each policy, against the formula of attention written out for one layer."""

import pytest
import torch
from torch import Tensor

from reelpatch.edits.sharing.exchange import exchanged
from reelpatch.edits.sharing.schedule import Policy
from reelpatch.families.attention import sdpa

PAIRS, TOKENS, HEADS, WIDTH = 2, 7, 3, 8
GENERATOR = torch.Generator().manual_seed(5)
QUERIES, KEYS, VALUES = (torch.randn(2 * PAIRS, TOKENS, HEADS, WIDTH, generator=GENERATOR) for _ in range(3))
# Sums of at most 14 products of numbers about 1, in two orders.
ROUNDING = 1e-6


def by_formula(policy: Policy, row: int) -> Tensor:
    """Attention of one row, head by head, [N, H E]; ConcatK is (A_own + A_other) V_own."""
    other = row ^ 1
    heads = []
    for head in range(HEADS):
        q, k, v = (one[row, :, head] for one in (QUERIES, KEYS, VALUES))
        their_k, their_v = KEYS[other, :, head], VALUES[other, :, head]
        if policy is Policy.SELF:
            out = (q @ k.T / WIDTH**0.5).softmax(-1) @ v
        elif policy is Policy.SWAP_K:
            out = (q @ their_k.T / WIDTH**0.5).softmax(-1) @ v
        elif policy is Policy.SWAP_KV:
            out = (q @ their_k.T / WIDTH**0.5).softmax(-1) @ their_v
        else:
            weights = (torch.cat([q @ k.T, q @ their_k.T], 1) / WIDTH**0.5).softmax(-1)
            on_own, on_other = weights[:, :TOKENS], weights[:, TOKENS:]
            out = on_own @ v + on_other @ (their_v if policy is Policy.CONCAT_KV else v)
        heads.append(out)
    return torch.cat(heads, dim=1)


@pytest.mark.parametrize("target", Policy)
@pytest.mark.parametrize("source", Policy)
def test_every_pair_of_policies_is_the_plain_formula(source: Policy, target: Policy) -> None:
    found = sdpa(QUERIES, *exchanged(KEYS, VALUES, source=source, target=target))
    expected = torch.stack([by_formula((source, target)[row % 2], row) for row in range(2 * PAIRS)])
    assert float((found - expected).abs().max()) < ROUNDING


def test_policies_differ() -> None:
    read = [sdpa(QUERIES, *exchanged(KEYS, VALUES, source=one, target=one)) for one in Policy]
    for first in range(len(read)):
        for second in range(first):
            assert float((read[first] - read[second]).abs().max()) > 1e-2


def test_swapping_reads_no_more_than_before() -> None:
    for policy in Policy:
        keys, values = exchanged(KEYS, VALUES, source=policy, target=policy)
        assert keys.shape[1] == values.shape[1] == (2 * TOKENS if policy.doubles else TOKENS)


def test_pairs_do_not_see_each_other() -> None:
    others = KEYS.clone()
    others[2:] += 1
    for policy in Policy:
        once = exchanged(KEYS, VALUES, source=policy, target=policy)[0]
        again = exchanged(others, VALUES, source=policy, target=policy)[0]
        assert torch.equal(once[:2], again[:2])
