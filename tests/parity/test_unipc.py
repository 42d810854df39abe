"""Our UniPC against diffusers' scheduler: the same network, the same noise, every state on the way."""

import pytest
import torch
from diffusers import UniPCMultistepScheduler
from torch import Tensor

from reelpatch.sampling.schedules import make_sigmas, timestep
from reelpatch.sampling.solvers import sample_flow_unipc
from tests.golden.rounding import assert_rounds_alike

ROUNDINGS_A_STEP = 8  # products and sums; diffusers computes its coefficients in fp32 too, we in float64


def scheduler(shift: float, steps: int) -> UniPCMultistepScheduler:
    made = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, solver_order=2
    )
    made.set_timesteps(steps)
    return made


def velocity(x: Tensor, t: float) -> Tensor:
    """A stand-in for a network: not linear, and mixing neighbours."""
    return torch.tanh(x.roll(1, -1)) * (0.5 + t / 2000) + 0.7 * x


def model(x: Tensor, sigma: Tensor) -> Tensor:
    return x - sigma[0] * velocity(x, 1000 * sigma[0].item())


@pytest.mark.parametrize(("steps", "shift"), [(1, 5.0), (2, 3.0), (4, 5.0), (8, 2.0), (50, 16.0)])
def test_grid_and_states_are_those_of_diffusers(steps: int, shift: float) -> None:
    theirs = scheduler(shift, steps)
    sigmas = make_sigmas("diffusers", steps, shift=shift)
    assert_rounds_alike(sigmas, theirs.sigmas, 4)
    assert [timestep(s, truncate=True) for s in sigmas[:-1].tolist()] == theirs.timesteps.tolist()

    x = torch.randn(1, 16, 2, 4, 4, generator=torch.manual_seed(0))
    ours: list[Tensor] = []
    ours_end = sample_flow_unipc(model, x, sigmas, callback=lambda step: ours.append(step["x"]))
    for i, t in enumerate(theirs.timesteps):
        assert_rounds_alike(ours[i], x, ROUNDINGS_A_STEP * i)
        x = theirs.step(velocity(x, t.item()), t, x).prev_sample
    assert_rounds_alike(ours_end, x, ROUNDINGS_A_STEP * steps)


def test_starting_late_is_that_of_diffusers() -> None:
    """The last 4 of 40 steps, as the enhancer takes them."""
    theirs = scheduler(12.0, 40)
    theirs.set_begin_index(36)
    x = torch.randn(1, 16, 2, 4, 4, generator=torch.manual_seed(1))
    ours = sample_flow_unipc(model, x, make_sigmas("diffusers", 40, shift=12)[36:])
    for t in theirs.timesteps[36:]:
        x = theirs.step(velocity(x, t.item()), t, x).prev_sample
    assert_rounds_alike(ours, x, ROUNDINGS_A_STEP * 4)
