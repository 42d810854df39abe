"""Weights as files of scaled fp8 hold them."""

import torch

State = dict[str, torch.Tensor]


def scaled(state: State) -> tuple[State, State]:
    """Matrices in fp8 with a factor each, as kijai's scaled files; and what they stand for."""
    made, meant = dict(state), dict(state)
    for key in [key for key, tensor in state.items() if tensor.ndim == 2]:
        factor = state[key].abs().max() / 448
        made[key] = (state[key] / factor).to(torch.float8_e4m3fn)
        made[key.replace(".weight", ".scale_weight")] = factor
        meant[key] = made[key].float() * factor
    return made, meant
