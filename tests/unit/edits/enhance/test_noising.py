"""The enhancer's noise levels and its start, against the published digits."""

import pytest
import torch

from reelpatch.edits.enhance.noising import last_steps, noised
from reelpatch.errors import BadInput
from reelpatch.recipes import recipe
from reelpatch.sampling.schedules import make_sigmas, timestep
from reelpatch.sampling.solvers import sample_flow_unipc
from tests.golden.rounding import printed

DITTO = make_sigmas("native", 40, shift=12.0)
EXPERT_BOUNDARY = recipe("enhance").expert_boundary
# Where a run of the last k steps begins.
STARTS = {
    1: 0.235110,
    2: 0.386847,
    3: 0.492880,
    4: 0.571156,
    5: 0.631313,
    6: 0.678989,
    8: 0.749765,
    10: 0.799787,
}


def test_four_steps_have_the_published_levels_and_timesteps() -> None:
    sigmas = last_steps(DITTO, 4, boundary=EXPERT_BOUNDARY).tolist()
    assert [round(sigma, 6) for sigma in sigmas] == [0.571156, 0.492880, 0.386847, 0.235110, 0]
    assert [timestep(sigma, truncate=True) for sigma in sigmas[:-1]] == [571, 492, 386, 235]


@pytest.mark.parametrize("steps", STARTS)
def test_every_strength_begins_at_its_published_level(steps: int) -> None:
    assert float(last_steps(DITTO, steps, boundary=EXPERT_BOUNDARY)[0]) == pytest.approx(
        STARTS[steps], abs=5e-7
    )


def test_the_recipe_is_the_same_run() -> None:
    record = recipe("enhance")
    sigmas = make_sigmas(record.schedule, record.steps, shift=record.shift)
    assert torch.equal(last_steps(sigmas, 4, boundary=EXPERT_BOUNDARY), sigmas[record.start_step :])


def test_the_start_is_the_clip_and_noise_in_the_published_parts() -> None:
    sigma = float(last_steps(DITTO, 4)[0])
    clip, noise = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([0.0, 1.0, -3.0])
    expected = [0.428844, 0.571156, 2 * 0.428844 - 3 * 0.571156]
    # Five times the level's last printed digit, as it goes into the last number.
    assert noised(clip, noise, sigma).tolist() == pytest.approx(expected, abs=5 * printed(1, 1))
    assert noised(clip.bfloat16(), noise.bfloat16(), sigma).dtype == torch.float32


def test_the_toy_takes_the_published_path() -> None:
    """v = tanh(x) / 2 + x * t / 1000 from [1, -0.5, 0.25], step 36 of 40 on."""

    def toy(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return x - sigma[:, None] * (0.5 * torch.tanh(x) + x * sigma[:, None])

    last = sample_flow_unipc(toy, torch.tensor([[1.0, -0.5, 0.25]]), last_steps(DITTO, 4))
    # Four steps of some eight roundings each.
    assert last[0].tolist() == pytest.approx([0.652419, -0.314376, 0.155466], abs=printed(1, 8 * 4))


def test_fourteen_steps_are_the_low_noise_expert_s() -> None:
    assert timestep(float(last_steps(DITTO, 14, boundary=EXPERT_BOUNDARY)[0]), truncate=True) == 865
    with pytest.raises(BadInput, match=r"^15 last steps begin above timestep 875.*use 1 to 14"):
        last_steps(DITTO, 15, boundary=EXPERT_BOUNDARY)
    assert len(last_steps(DITTO, 40)) == 41


@pytest.mark.parametrize("steps", [0, -1, 41])
def test_steps_that_are_not_there_are_refused(steps: int) -> None:
    with pytest.raises(BadInput, match="of a run of 40: use 1 to 14"):
        last_steps(DITTO, steps, boundary=EXPERT_BOUNDARY)
