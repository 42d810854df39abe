"""Noise: one seed, one clip; in parts of a long clip every latent frame has its own."""

import torch

from reelpatch.sampling.noise import FrameNoise, draw_noise, noise_seed
from reelpatch.sampling.solvers import sample_flow_renoise


def test_parts_share_the_noise_where_they_overlap() -> None:
    one, other = FrameNoise(7, 0).draw((16, 5, 2, 3)), FrameNoise(7, 3).draw((16, 4, 2, 3))
    assert one.shape == (16, 5, 2, 3)
    assert torch.equal(one[:, 3:], other[:, :2])
    assert not torch.equal(one[:, :2], other[:, :2])


def test_references_have_the_same_noise_in_every_part() -> None:
    plain = FrameNoise(7, 4).draw((16, 2, 2, 2))
    one, other = (FrameNoise(7, first).draw((16, 4, 2, 2), references=2) for first in (4, 8))
    assert torch.equal(one[:, :2], other[:, :2])
    assert torch.equal(one[:, 2:], plain)


def test_seeds_streams_and_frames_are_independent() -> None:
    drawn = [
        FrameNoise(seed, first, stream).draw((16, 2, 20, 20)).flatten()
        for seed in (0, 1)
        for first in (0, 2)
        for stream in (0, 1)
    ]
    together = torch.corrcoef(torch.stack(drawn))
    assert float((together - torch.eye(8)).abs().max()) < 0.05
    noise = torch.cat(drawn)
    assert abs(float(noise.mean())) < 0.01
    assert abs(float(noise.std()) - 1) < 0.01


def test_a_whole_clip_is_drawn_as_ever() -> None:
    expected = torch.randn(16, 2, 3, 4, generator=torch.Generator().manual_seed(5))
    assert torch.equal(draw_noise((16, 2, 3, 4), 5), expected)
    assert torch.equal(draw_noise((16, 2, 3, 4), FrameNoise(5, 1)), FrameNoise(5, 1).draw((16, 2, 3, 4)))
    assert (noise_seed(5), noise_seed(FrameNoise(6, 1))) == (5, 6)


def test_noise_added_on_the_way_is_that_of_the_frames_too() -> None:
    """A model that sees nothing at all gives back the last noise, which overlapping parts share."""

    def blind(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return x * (sigma[:, None, None, None, None] < 0.6)

    sigmas = torch.tensor([1.0, 0.7, 0.5, 0.0])
    parts = [FrameNoise(3, first) for first in (0, 2)]
    ends = []
    for part in parts:
        start = part.draw((16, 3, 2, 2))
        end = sample_flow_renoise(blind, start[None], sigmas, noise_sampler=part.sampler(start))
        ends.append(end[0])
    assert torch.equal(ends[0][:, 2:], ends[1][:, :1])
    assert not torch.equal(ends[0][:, 2:], parts[0].draw((16, 3, 2, 2))[:, 2:] * 0.5)
