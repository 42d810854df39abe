"""The engine of picture edits: sizes, conditions, what is dropped in a run, and how the film is decoded."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from reelpatch.edits.reasoning.condition import build_condition
from reelpatch.edits.reasoning.decode import decode_film
from reelpatch.edits.reasoning.drop import Drop, matched, rotary_positions
from reelpatch.edits.reasoning.settings import PictureEdit
from reelpatch.edits.reasoning.sizing import fit_picture
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.sampling.solvers import SOLVERS, seeded_noise

LATTICE = WAN.lattice


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ((720, 1280), (720, 1280)),
        ((1280, 720), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((1000, 1000), (960, 960)),
        ((1, 1), (960, 960)),
        ((5, 7), (800, 1136)),
        ((100, 8000), (96, 8576)),
    ],
)
def test_sizes_are_those_of_the_published_script(source: tuple[int, int], size: tuple[int, int]) -> None:
    assert fit_picture(source, LATTICE).size == size


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([(64, 64), (720, 1280), (1056, 1584)]))
@settings(max_examples=100, deadline=None)
def test_every_picture_has_a_legal_size_of_no_more_pixels(
    height: int, width: int, area: tuple[int, int]
) -> None:
    assume(max(height, width) <= 100 * min(height, width))  # longer ones may be refused
    size = fit_picture((height, width), LATTICE, area).size
    assert LATTICE.nearest_size(*size) == size
    # Sides are rounded before they are cut down, and none is less than one token.
    assert size[0] * size[1] <= area[0] * area[1] + max(size) * 16


def test_a_picture_too_long_for_the_model_is_refused_in_a_sentence() -> None:
    with pytest.raises(BadInput, match=r"100000x1, so long that it would be worked on at 57600x16"):
        fit_picture((1, 100_000), LATTICE)


def test_pictures_are_resized_as_pillow_does_and_given_back_at_their_own_size() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    fit = fit_picture((90, 160), LATTICE, (45, 80))
    assert fit.size == (32, 80)
    ours = fit.fit(torch.from_numpy(picture) / 255)
    theirs = torch.from_numpy(np.array(Image.fromarray(picture).resize((80, 32)))) / 255
    assert (ours - theirs).abs().max() <= 2 / 255  # Pillow rounds to bytes twice
    assert fit.restore(ours).shape == (90, 160, 3)
    assert fit.restore(ours.expand(3, -1, -1, -1)).shape == (3, 90, 160, 3)
    assert "given back at its own size" in fit.describe()


def test_a_picture_of_the_working_size_is_left_alone() -> None:
    picture = torch.rand(32, 32, 3)
    fit = fit_picture((32, 32), LATTICE, (32, 32))
    assert fit.fit(picture) is picture
    assert "as it is" in fit.describe()


def test_the_condition_is_the_picture_then_gray_under_a_mask_of_the_first_latent_frame() -> None:
    seen: list[Tensor] = []

    def encode(video: Tensor) -> Tensor:
        seen.append(video)
        return torch.full((16, 8, 2, 3), 0.5)

    picture = torch.rand(16, 24, 3)
    condition = build_condition(picture, 29, encode, LATTICE)
    assert condition.shape == (20, 8, 2, 3)
    assert torch.equal(condition[:4, 0], torch.ones(4, 2, 3))
    assert not condition[:4, 1:].any()
    assert (condition[4:] == 0.5).all()
    (video,) = seen
    assert video.shape == (3, 29, 16, 24)
    torch.testing.assert_close(video[:, 0], picture.permute(2, 0, 1) * 2 - 1)
    assert not video[:, 1:].any()


def test_a_pair_stands_at_the_ends_of_the_film_it_stands_for() -> None:
    assert rotary_positions(2) == (0, 7)
    assert [rotary_positions(frames) for frames in (1, 3, 8)] == [(0,), (0, 1, 2), tuple(range(8))]


def test_a_condition_follows_its_latents() -> None:
    condition = torch.arange(8.0)[None, :, None, None].expand(20, 8, 1, 1)
    assert matched(condition, 8) is condition
    assert matched(condition, 2)[0, :, 0, 0].tolist() == [0, 7]
    with pytest.raises(ValueError, match="no match for 3"):
        matched(condition, 3)


def test_frames_are_dropped_once_and_only_where_some_stand_between() -> None:
    drop, latents = Drop(2), torch.arange(8.0)[None, None, :, None, None]
    assert drop(1, latents) is latents
    assert drop(2, latents).flatten().tolist() == [0, 7]
    pair = latents[:, :, :2]
    assert drop(2, pair) is pair


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("schedule", ["native", "euler"])
def test_a_solver_that_changes_nothing_between_steps_goes_the_same_way(solver: str, schedule: str) -> None:
    x, sigmas = torch.randn(1, 4, 8, 2, 2, generator=torch.manual_seed(0)), make_sigmas(schedule, 5, shift=3)
    plain = SOLVERS[solver](toy, x, sigmas)
    assert torch.equal(SOLVERS[solver](toy, x, sigmas, between=lambda _step, tensor: tensor), plain)
    assert torch.equal(SOLVERS[solver](toy, x, sigmas, between=Drop(5)), plain)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("step", [0, 1, 3, 4])
def test_frames_dropped_with_the_history_are_those_of_a_run_that_never_had_others(
    solver: str, step: int
) -> None:
    """Where frames do not see each other, dropping some must not move the rest: the history goes with them."""
    x, sigmas = torch.randn(1, 4, 8, 2, 2, generator=torch.manual_seed(1)), make_sigmas("native", 5, shift=3)
    options = {"noise_sampler": seeded_noise(x, 3)} if solver == "renoise" else {}
    whole = SOLVERS[solver](toy, x, sigmas, **options)
    options = {"noise_sampler": seeded_noise(x, 3)} if solver == "renoise" else {}
    dropped = SOLVERS[solver](toy, x, sigmas, between=Drop(step), **options)
    torch.testing.assert_close(dropped, whole[:, :, [0, -1]], rtol=0, atol=1e-6)


def toy(x: Tensor, sigma: Tensor) -> Tensor:
    return x - sigma[0] * torch.tanh(1.3 * x + sigma[0])


def test_the_edit_is_decoded_right_behind_the_picture() -> None:
    """A decoder with a memory, as Wan's is: each latent frame adds all that were before it."""

    def decode(latents: Tensor) -> Tensor:
        sums = latents[:3].cumsum(1)
        return torch.cat([sums[:, :1], sums[:, 1:].repeat_interleave(4, dim=1)], dim=1)

    latents = torch.arange(1.0, 9)[None, :, None, None].expand(16, 8, 1, 1)
    film = decode_film(latents, decode)[0, :, 0, 0]
    assert film.shape == (29,)
    assert film[-4:].tolist() == [9, 9, 9, 9]  # of latents 1 and 8 alone, not the sum of all
    assert film[:25].tolist() == decode(latents)[0, :25, 0, 0].tolist()
    assert decode_film(latents[:, [0, -1]], decode)[0, :, 0, 0].tolist() == [1, 9, 9, 9, 9]


def test_sentences_of_methods_take_what_is_asked() -> None:
    paint = PictureEdit(sentence="Turn it into a {}")
    assert paint.instruction(" hat ") == "Turn it into a hat"
    assert PictureEdit(sentence="Sharpen it.").instruction("") == "Sharpen it."
    assert PictureEdit().instruction("make it blue") == "make it blue"
    with pytest.raises(BadInput, match="name what the sketch is to become"):
        paint.instruction(" ")
    with pytest.raises(BadInput, match="say what is to change"):
        PictureEdit().instruction("")
    with pytest.raises(BadInput, match="'make it blue' would not be read: leave it out"):
        PictureEdit(sentence="Sharpen it.").instruction("make it blue")


def test_the_distilled_lora_with_reasoning_to_the_end_is_warned_of() -> None:
    assert "black or broken" in PictureEdit(8, is_distilled=True).warning(8)
    assert not PictureEdit(3, is_distilled=True).warning(8)
    assert not PictureEdit(50).warning(50)
    assert (PictureEdit(0).frames, PictureEdit(1).frames) == (5, 29)


def test_reasoning_steps_outside_the_run_are_refused() -> None:
    PictureEdit(50).check_steps(50)
    with pytest.raises(BadInput, match="51 reasoning steps were asked for, but the run has 50"):
        PictureEdit(51).check_steps(50)
