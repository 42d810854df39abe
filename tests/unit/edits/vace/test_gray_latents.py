import torch
from torch import Tensor

from reelpatch.edits.vace.context import build_context
from reelpatch.edits.vace.gray_latents import MOST, GrayLatents


class CountingVae:
    """Means of 8x8 cells plus a bias, so that gray has latents of its own; counts its passes."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, video: Tensor) -> Tensor:
        self.seen.append(tuple(video.shape))
        cells = torch.nn.functional.avg_pool2d(video[:, ::4].transpose(0, 1), 8).transpose(0, 1)
        return cells.repeat(6, 1, 1, 1)[:16] + 0.3


def context(encode, clip: Tensor | None, mask: Tensor | None) -> Tensor:
    return build_context(clip, mask, [], encode, frames=5, height=16, width=32)


def test_a_full_mask_costs_one_pass_from_the_second_clip_on_and_changes_nothing() -> None:
    vae = CountingVae()
    encode = GrayLatents().encoder(vae)
    for number, mask in enumerate((torch.ones(5, 16, 32), None, torch.ones(5, 16, 32))):
        clip = torch.rand(5, 16, 32, 3)
        assert torch.equal(context(encode, clip, mask), context(CountingVae(), clip, mask))
        assert len(vae.seen) == 2 + number


def test_an_empty_mask_takes_its_gray_from_the_same_place() -> None:
    vae = CountingVae()
    encode = GrayLatents().encoder(vae)
    clip, nothing = torch.rand(5, 16, 32, 3), torch.zeros(5, 16, 32)
    context(encode, clip, None)
    assert torch.equal(context(encode, clip, nothing), context(CountingVae(), clip, nothing))
    assert len(vae.seen) == 3


def test_no_clip_at_all_is_one_pass() -> None:
    vae = CountingVae()
    made = context(GrayLatents().encoder(vae), None, None)
    assert torch.equal(made, context(CountingVae(), None, None))
    assert len(vae.seen) == 1


def test_a_mask_with_an_edge_takes_both_passes_every_time() -> None:
    vae = CountingVae()
    encode = GrayLatents().encoder(vae)
    mask = torch.zeros(5, 16, 32)
    mask[:, :, 7:] = 1
    for _ in range(2):
        context(encode, torch.rand(5, 16, 32, 3), mask)
    assert len(vae.seen) == 4


def test_other_lengths_and_sizes_have_gray_of_their_own_and_few_are_kept() -> None:
    vae = CountingVae()
    encode = GrayLatents().encoder(vae)
    shapes = [(3, frames, 16, 32) for frames in range(1, 4 * MOST + 2, 4)]
    for shape in (*shapes, shapes[-1], shapes[0]):
        assert encode(torch.zeros(shape)).shape[1] == (shape[1] + 3) // 4
    assert vae.seen == [*shapes, shapes[0]]  # the newest is still there, the oldest is not


def test_what_is_not_gray_is_never_kept() -> None:
    vae = CountingVae()
    encode = GrayLatents().encoder(vae)
    for value in (0.001, float("nan")):
        for _ in range(2):
            encode(torch.full((3, 1, 16, 16), value))
    assert len(vae.seen) == 4
