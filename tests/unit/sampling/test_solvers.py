"""The solvers against published trajectories, exact solutions, and what hosts rely on."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.sampling.solvers import (
    SOLVERS,
    sample_flow_euler,
    sample_flow_renoise,
    sample_flow_unipc,
    seeded_noise,
)
from tests.golden.rounding import assert_rounds_alike, printed, rounding

START = (1.0, -0.5, 0.25)
ROUNDINGS_A_STEP = 8  # the toy's, and the products and sums of a step

# States after every step for v = tanh(x) / 2 + x * t / 1000, computed with the official code in fp32.
TRAJECTORIES = {
    ("native", 4, 16, 0): (
        (0.971817, -0.485078, 0.242397),
        (0.921541, -0.458568, 0.228916),
        (0.805971, -0.398154, 0.198304),
        (-0.045641, 0.043043, -0.024509),
    ),
    ("native", 4, 5, 0): (
        (0.913715, -0.454315, 0.226724),
        (0.792648, -0.391092, 0.194704),
        (0.618804, -0.302493, 0.150244),
        (0.205710, -0.092878, 0.045100),
    ),
    ("kijai", 4, 2, 0): (
        (0.802893, -0.395638, 0.196829),
        (0.631519, -0.308291, 0.153022),
        (0.506641, -0.247011, 0.122634),
        (0.332386, -0.159202, 0.078674),
    ),
    ("native", 40, 12, 36): (
        (0.925497, -0.459566, 0.229240),
        (0.851712, -0.420308, 0.209282),
        (0.771154, -0.377637, 0.187635),
        (0.652419, -0.314376, 0.155466),
    ),
}
LAST_STATES = {
    ("native", 8, 2): (0.384135, -0.184797, 0.091404),
    ("diffusers", 8, 2): (0.383634, -0.184553, 0.091283),
}


def toy(x: Tensor, sigma: Tensor) -> Tensor:
    """x0 of the toy velocity, at the timestep the solver asks for."""
    return x - sigma[:, None] * (0.5 * torch.tanh(x) + x * sigma[:, None])


def states(sigmas: Tensor) -> list[list[float]]:
    """The latents at the start of every step but the first, and the result."""
    seen: list[Tensor] = []
    last = sample_flow_unipc(toy, torch.tensor([START]), sigmas, callback=lambda step: seen.append(step["x"]))
    return [state[0].tolist() for state in (*seen[1:], last)]


@pytest.mark.parametrize("grid", TRAJECTORIES)
def test_unipc_takes_the_published_path(grid: tuple[str, int, float, int]) -> None:
    name, steps, shift, first = grid
    path = states(make_sigmas(name, steps, shift=shift)[first:])
    for state, published in zip(path, TRAJECTORIES[grid], strict=True):
        assert state == pytest.approx(published, rel=0, abs=printed(1, ROUNDINGS_A_STEP * len(path)))


@pytest.mark.parametrize("grid", LAST_STATES)
def test_unipc_ends_where_published(grid: tuple[str, int, float]) -> None:
    name, steps, shift = grid
    assert states(make_sigmas(name, steps, shift=shift))[-1] == pytest.approx(
        LAST_STATES[grid], rel=0, abs=printed(1, ROUNDINGS_A_STEP * steps)
    )


def test_unipc_order_two_is_seen_in_its_error() -> None:
    """Halving the steps' length divides the error by about 4 or more, where Euler's halves."""

    def error(solver: str, steps: int) -> float:
        sigmas = torch.linspace(0.9, 0.1, steps + 1, dtype=torch.float64)
        x = torch.ones(1, 1, dtype=torch.float64)
        # v = -x, so x grows by exp of the distance
        end = SOLVERS[solver](lambda x, sigma: x + sigma[:, None] * x, x, sigmas, truncate_timesteps=False)
        return abs(end.item() - math.exp(0.8))

    assert error("unipc", 40) < error("unipc", 20) / 3.5
    assert error("unipc", 40) < error("euler", 40) / 20
    assert error("euler", 40) == pytest.approx(error("euler", 20) / 2, rel=0.05)


@given(st.integers(1, 12), st.floats(0.5, 16))
@settings(max_examples=25, deadline=None)  # machines under load stall
def test_euler_is_exact_where_the_velocity_is_constant(steps: int, shift: float) -> None:
    noise, clean = torch.tensor([[1.5, -2.0]]), torch.tensor([[0.3, 0.7]])

    def straight(x: Tensor, sigma: Tensor) -> Tensor:
        return x - sigma[:, None] * (noise - clean)

    end = sample_flow_euler(straight, noise, make_sigmas("euler", steps, shift=shift))
    # Every step rounds the velocity and the sum, of numbers as large as the noise.
    torch.testing.assert_close(end, clean, rtol=0, atol=rounding(2, ROUNDINGS_A_STEP * steps))


def test_euler_is_the_discrete_solution_of_a_linear_equation() -> None:
    """For v = c*x every step multiplies by 1 + c*(sigma_next - sigma)."""
    sigmas = make_sigmas("euler", 5, shift=3)
    end = sample_flow_euler(lambda x, sigma: x - 0.4 * sigma[:, None] * x, torch.ones(1, 1), sigmas)
    assert end.item() == pytest.approx(
        (1 + 0.4 * sigmas.double().diff()).prod().item(), abs=rounding(1, 5 * 4)
    )


def test_renoise_is_deterministic_and_draws_fresh_noise_each_step() -> None:
    sigmas, x = make_sigmas("warped", 4, shift=5), torch.randn(1, 3, generator=torch.manual_seed(7))
    seen: list[Tensor] = []
    drawn: list[tuple[float, float]] = []
    source = seeded_noise(x, 7)

    def draw(sigma: float, sigma_next: float) -> Tensor:
        drawn.append((sigma, sigma_next))
        return source(sigma, sigma_next)

    end = sample_flow_renoise(
        toy, x, sigmas, callback=lambda step: seen.append(step["x"]), noise_sampler=draw
    )
    levels = sigmas.tolist()
    assert drawn == list(pairwise(levels))[:3]  # none for the last step
    replay = seeded_noise(x, 7)
    noises = [replay(0, 0) for _ in range(3)]
    assert not any(torch.equal(noise, x) for noise in noises)
    assert not torch.equal(noises[0], noises[1])
    for i, noise in enumerate(noises):
        clean = toy(seen[i], sigmas[i : i + 1])
        torch.testing.assert_close(seen[i + 1], (1 - levels[i + 1]) * clean + levels[i + 1] * noise)
    assert_rounds_alike(end, toy(seen[-1], sigmas[3:4]), ROUNDINGS_A_STEP)


def test_renoise_takes_the_seed_where_comfyui_puts_it() -> None:
    sigmas, x = make_sigmas("warped", 4, shift=5), torch.ones(1, 3)

    def seeded(x: Tensor, sigma: Tensor, seed: int) -> Tensor:  # noqa: ARG001 -- what ComfyUI passes
        return toy(x, sigma)

    first, again, other = (sample_flow_renoise(seeded, x, sigmas, {"seed": seed}) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_last_prediction_is_the_result(solver: str) -> None:
    denoised: list[Tensor] = []
    end = SOLVERS[solver](
        toy,
        torch.tensor([START, (2.0, 3.0, 4.0)]),
        make_sigmas("native", 4, shift=5),
        callback=lambda step: denoised.append(step["denoised"]),
    )
    assert torch.equal(end, denoised[-1])


@pytest.mark.parametrize("solver", SOLVERS)
def test_callbacks_and_calls_are_of_the_k_diffusion_form(solver: str) -> None:
    calls: list[tuple[torch.Size, dict]] = []
    steps: list[dict] = []

    def model(x: Tensor, sigma: Tensor, **extra_args: object) -> Tensor:
        calls.append((sigma.shape, extra_args))
        return toy(x, sigma)

    sigmas = make_sigmas("native", 3, shift=5)
    SOLVERS[solver](model, torch.ones(2, 3), sigmas, {"seed": 1, "mark": 2}, steps.append, True)
    assert calls == [(torch.Size([2]), {"seed": 1, "mark": 2})] * 3
    assert [step["i"] for step in steps] == [0, 1, 2]
    assert [step["sigma"] for step in steps] == [step["sigma_hat"] for step in steps] == sigmas[:-1].tolist()
    assert all(set(step) == {"i", "sigma", "sigma_hat", "x", "denoised"} for step in steps)


@pytest.mark.parametrize("solver", ["unipc", "euler"])
def test_the_network_is_shown_whole_timesteps(solver: str) -> None:
    asked: list[float] = []

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        asked.append((1000 * sigma).item())
        return toy(x, sigma)

    sigmas = make_sigmas("kijai", 4, shift=2)
    SOLVERS[solver](model, torch.ones(1, 3), sigmas, truncate_timesteps=True)
    assert asked == [999, 856, 666, 399]
    asked.clear()
    SOLVERS[solver](model, torch.ones(1, 3), sigmas, truncate_timesteps=False)
    assert asked == pytest.approx((1000 * sigmas[:-1]).tolist())


def test_the_velocity_at_the_cut_timestep_is_used_at_the_true_sigma() -> None:
    """One Euler step by hand: v from the whole timestep, the step from the sigmas."""
    sigmas = torch.tensor([0.8567, 0.5])
    end = sample_flow_euler(toy, torch.tensor([START]), sigmas, truncate_timesteps=True)
    x = torch.tensor([START])
    by_hand = x + (0.5 - 0.8567) * (0.5 * torch.tanh(x) + x * 0.856)
    torch.testing.assert_close(end, by_hand, rtol=0, atol=rounding(1, ROUNDINGS_A_STEP))


def test_levels_below_one_timestep_are_shown_uncut() -> None:
    asked: list[float] = []

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        asked.append(sigma.item())
        return toy(x, sigma)

    sample_flow_unipc(model, torch.ones(1, 3), torch.tensor([0.5, 0.0004, 0.0]))
    assert asked == pytest.approx([0.5, 0.0004])


def test_half_precision_latents_leave_the_levels_alone() -> None:
    asked: list[float] = []

    def model(x: Tensor, sigma: Tensor) -> Tensor:
        asked.append(sigma.item())
        return (x / 2).to(x.dtype)

    end = sample_flow_euler(model, torch.ones(1, 3, dtype=torch.bfloat16), torch.tensor([0.999, 0.5, 0.0]))
    assert asked == pytest.approx([0.999, 0.5], abs=1e-7)
    assert end.dtype == torch.bfloat16


def test_the_largest_seed_of_comfyui_draws_noise() -> None:
    assert seeded_noise(torch.ones(2), 2**64 - 1)(1.0, 0.5).shape == (2,)


def test_unipc_starts_from_pure_noise_too() -> None:
    """The Euler grid starts at 1, where the log-SNR is infinite."""
    assert bool(sample_flow_unipc(toy, torch.ones(1, 3), make_sigmas("euler", 4, shift=5)).isfinite().all())


def test_a_run_in_two_parts_goes_through_both() -> None:
    """A part that does not end in 0 stops at its last level; Euler, without history, cannot tell the difference."""
    sigmas, x = make_sigmas("euler", 6, shift=5), torch.tensor([START])
    halfway = sample_flow_euler(toy, x, sigmas[:4])
    assert_rounds_alike(
        sample_flow_euler(toy, halfway, sigmas[3:]), sample_flow_euler(toy, x, sigmas), ROUNDINGS_A_STEP * 6
    )


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sigmas", [[], [0.5]])
def test_no_steps_change_nothing(solver: str, sigmas: list[float]) -> None:
    x = torch.tensor([START])
    assert torch.equal(SOLVERS[solver](toy, x, torch.tensor(sigmas)), x)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_non_finite_latents_stop_the_run_where_they_appear(solver: str, poison: float) -> None:
    def model(x: Tensor, sigma: Tensor) -> Tensor:
        return x * (poison if sigma.item() < 0.9 else 1)

    with pytest.raises(BadInput, match=r"step 3 of 4 \(sigma 0\.8331\)"):
        SOLVERS[solver](model, torch.ones(1, 2), make_sigmas("native", 4, shift=5))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sigmas", [(14.6, 1.0, 0.0), (0.5, 0.7, 0.0), (0.5, 0.5, 0.0), (math.nan, 0.5, 0.0)])
def test_other_models_sigmas_are_refused(solver: str, sigmas: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match="falling levels of a flow model"):
        SOLVERS[solver](toy, torch.ones(1, 2), torch.tensor(sigmas))
