"""Keys and values of two clips, exchanged by a policy.

With Q, K, V after norms and rotary positions, a clip b and the other one o: Attn_b = softmax(Q_b K'^T / sqrt(E)) V', where
K', V' are K_b, V_b (Self), [K_b; K_o], [V_b; V_b] (ConcatK), [K_b; K_o], [V_b; V_o] (ConcatKV), K_o, V_b (SwapK) or K_o, V_o
(SwapKV).

Source: InsEdit, section 3.2. As printed, ConcatK has twice as many keys as values; its figure draws V twice, and so do we.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reelpatch.edits.sharing.schedule import Policy

KeysValues = tuple[Tensor, Tensor]


def exchanged(keys: Tensor, values: Tensor, *, source: Policy, target: Policy) -> KeysValues:
    """What pairs of rows read, each the source's first and the target's behind it.

    Shapes: keys, values `[2 n, N, H, E]`; the result has N or 2 N tokens. Where one of the two reads twice as many keys, the
    other reads its own twice: each then weighs half, which is the same but for rounding.
    """
    rows = [(pair_k, pair_v) for pair_k, pair_v in zip(_branches(keys), _branches(values), strict=True)]
    read = [_read(source, *rows), _read(target, *reversed(rows))]
    most = max(k.shape[1] for k, _ in read)
    read = [_repeated(one, most // one[0].shape[1]) for one in read]
    merged = [torch.stack(branches, dim=1).flatten(0, 1) for branches in zip(*read, strict=True)]
    return merged[0], merged[1]


def _branches(rows: Tensor) -> tuple[Tensor, Tensor]:
    pairs = rows.unflatten(0, (-1, 2))
    return pairs[:, 0], pairs[:, 1]


def _read(policy: Policy, own: KeysValues, other: KeysValues) -> KeysValues:
    (own_k, own_v), (other_k, other_v) = own, other
    match policy:
        case Policy.SELF:
            return own
        case Policy.SWAP_K:
            return other_k, own_v
        case Policy.SWAP_KV:
            return other
        case Policy.CONCAT_K:
            return torch.cat([own_k, other_k], 1), torch.cat([own_v, own_v], 1)
        case Policy.CONCAT_KV:
            return torch.cat([own_k, other_k], 1), torch.cat([own_v, other_v], 1)


def _repeated(read: KeysValues, times: int) -> KeysValues:
    keys, values = read
    return (keys, values) if times == 1 else (torch.cat([keys] * times, 1), torch.cat([values] * times, 1))
