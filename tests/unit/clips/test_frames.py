import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reelpatch.clips.frames import (
    METHODS,
    Box,
    FitPlan,
    Method,
    Size,
    as_clip,
    as_video,
    check_clip,
    fit,
    fit_mask,
    plan_fit,
    restore,
    size_of_area,
)
from reelpatch.errors import BadInput
from reelpatch.families.wan.family import WAN

sides = st.integers(1, 70)
legal_sides = st.integers(1, 5).map(lambda n: 16 * n)
sizes = st.none() | st.tuples(legal_sides, legal_sides)


@given(st.integers(1, 20), sides, sides, sizes, st.sampled_from(METHODS))
def test_any_clip_fits_and_comes_back(
    frames: int, height: int, width: int, size: tuple[int, int] | None, method: Method
) -> None:
    clip = torch.rand(frames, height, width, 3)
    plan = plan_fit(frames, height, width, size=size, method=method, lattice=WAN.lattice)
    fitted = fit(clip, plan)
    assert fitted.shape == (plan.frames, *plan.size, 3)
    assert plan.frames % 4 == 1
    assert frames <= plan.frames < frames + 4
    if method == "area":
        most = size or (max(16, height), max(16, width))
        assert plan.size[0] * plan.size[1] <= max(256, most[0] * most[1])
        assert (plan.kept.size, plan.placed.size) == ((height, width), plan.size)
    else:
        assert size in (None, plan.size)
    assert all(side % 16 == 0 for side in plan.size)
    assert torch.equal(fitted[frames:], fitted[frames - 1 : frames].expand(plan.frames - frames, -1, -1, -1))
    check_clip(fitted)
    back = restore(fitted, plan, clip)
    assert back.shape == clip.shape
    check_clip(back)
    if plan.kept.size == plan.placed.size:  # nothing was scaled
        assert torch.equal(back, clip)


@given(st.integers(1, 20), sides, sides)
def test_padding_without_a_wanted_size_changes_no_pixel(frames: int, height: int, width: int) -> None:
    clip = torch.rand(frames, height, width, 3)
    plan = plan_fit(frames, height, width, method="pad", lattice=WAN.lattice)
    assert torch.equal(restore(fit(clip, plan), plan, clip), clip)
    assert all(0 <= new - old < 16 for new, old in zip(plan.size, (height, width), strict=True))


def test_padding_repeats_the_border() -> None:
    clip = torch.rand(1, 12, 16, 3)
    fitted = fit(clip, plan_fit(1, 12, 16, method="pad", lattice=WAN.lattice))
    assert torch.equal(fitted, clip[:, [0, 0, *range(12), 11, 11]])


def test_what_crop_leaves_out_stands_as_it_was() -> None:
    clip = torch.rand(2, 40, 50, 3)
    plan = plan_fit(2, 40, 50, method="crop", lattice=WAN.lattice)
    assert (plan.size, plan.kept) == ((32, 48), Box(4, 1, 32, 48))
    edited = torch.rand(5, 32, 48, 3)
    result = restore(edited, plan, clip)
    assert torch.equal(result[:, 4:36, 1:49], edited[:2])
    result[:, 4:36, 1:49] = clip[:, 4:36, 1:49]
    assert torch.equal(result, clip)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(64, 128), (96, 80), (192, 320)])
def test_a_scaled_picture_comes_back_where_it_was(method: Method, size: tuple[int, int]) -> None:
    rows, columns = torch.linspace(0, 3, 90)[:, None], torch.linspace(0, 4, 120)
    picture = torch.stack(
        [(rows + 0 * columns).sin(), (0 * rows + columns).cos(), (rows - columns).sin()], dim=2
    )
    clip = (picture / 2 + 0.5)[None]
    plan = plan_fit(1, 90, 120, size=size, method=method, lattice=WAN.lattice)
    back = restore(fit(clip, plan), plan, clip)
    assert (back - clip).abs().max() < 0.02


@given(st.integers(1, 9), sides, sides, sizes, st.sampled_from(METHODS))
def test_a_mask_of_the_whole_clip_stays_whole(
    frames: int, height: int, width: int, size: tuple[int, int] | None, method: Method
) -> None:
    plan = plan_fit(frames, height, width, size=size, method=method, lattice=WAN.lattice)
    assert (fit_mask(torch.ones(frames, height, width), plan) > 0.9999).all()
    assert (fit_mask(torch.zeros(frames, height, width), plan) == 0).all()


@pytest.mark.parametrize(
    ("source", "area", "wanted"),
    [
        ((1080, 1920), (480, 832), (464, 832)),  # as Ditto's published graph works on 16:9
        ((2160, 3840), (480, 832), (464, 832)),
        ((1920, 1080), (480, 832), (832, 464)),
        ((480, 832), (480, 832), (480, 832)),
        ((960, 1280), (480, 832), (544, 720)),
        ((1000, 1000), (480, 832), (624, 624)),
        ((800, 1912), (480, 832), (400, 960)),
        ((720, 1280), (720, 1280), (720, 1280)),
        ((1080, 1920), (64, 64), (48, 80)),
        ((10, 9000), (64, 64), (16, 256)),  # nothing so long is legal: all that the pixels allow
        ((9, 7), (1, 1), (16, 16)),
    ],
)
def test_the_size_of_an_area(source: Size, area: Size, wanted: Size) -> None:
    assert size_of_area(source, area, lattice=WAN.lattice) == wanted


@given(st.tuples(st.integers(1, 4000), st.integers(1, 4000)), st.tuples(legal_sides, legal_sides))
def test_the_size_of_an_area_has_no_more_pixels_and_turns_with_the_clip(source: Size, area: Size) -> None:
    height, width = size_of_area(source, area, lattice=WAN.lattice)
    assert height % 16 == width % 16 == 0
    assert 0 < height * width <= area[0] * area[1]
    assert size_of_area((height, width), (height, width), lattice=WAN.lattice) == (height, width)
    assert size_of_area(source[::-1], area, lattice=WAN.lattice) == (width, height)


def test_a_legal_clip_is_left_alone() -> None:
    clip = torch.rand(9, 32, 48, 3)
    plan = plan_fit(9, 32, 48, lattice=WAN.lattice)
    assert plan.is_identity
    assert fit(clip, plan) is clip
    assert torch.equal(restore(clip, plan, clip), clip)


@pytest.mark.parametrize(
    ("frames", "height", "width", "size", "words"),
    [
        (70, 200, 300, None, ["300x200 with 70 frames", "304x208", "and 73 frames", "the fit 'pad'"]),
        (9, 30, 48, None, ["48x30", "48x32"]),
        (8, 32, 48, None, ["8 frames", "9 frames", "'crop', or 'stretch'"]),
        (9, 32, 48, (64, 96), ["48x32", "96x64", "the fit 'pad'"]),
        (9, 32, 48, (30, 48), ["48x30 is not a multiple of 16", "48x32"]),
        (0, 32, 48, None, ["0 frames", "at least one frame"]),
        (9, 0, 48, None, ["48x0"]),
    ],
)
def test_an_unfit_clip_is_refused_with_what_would_fit(
    frames: int, height: int, width: int, size: tuple[int, int] | None, words: list[str]
) -> None:
    with pytest.raises(BadInput) as refusal:
        plan_fit(frames, height, width, size=size, lattice=WAN.lattice)
    assert [word for word in words if word not in str(refusal.value)] == []


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (plan_fit(9, 32, 48, lattice=WAN.lattice), "edited as it is: 48x32, 9 frames"),
        (
            plan_fit(70, 200, 300, method="pad", lattice=WAN.lattice),
            "(300x200, 70 frames) is worked on as 304x208, 73 frames: bordered by its own edge pixels; "
            "its last frame repeated 3 times; the result is 300x200, 70 frames again",
        ),
        (plan_fit(9, 40, 50, method="crop", lattice=WAN.lattice), "only its central 48x32 are edited"),
        (plan_fit(9, 41, 50, method="stretch", lattice=WAN.lattice), "scaled to 48x48"),
        (
            plan_fit(9, 100, 100, size=(32, 64), method="pad", lattice=WAN.lattice),
            "scaled to 32x32; bordered",
        ),
        (
            plan_fit(9, 1080, 1920, size=(480, 832), method="area", lattice=WAN.lattice),
            "as 832x464, 9 frames: scaled to 832x464;",
        ),
        (
            plan_fit(9, 100, 100, size=(32, 64), method="crop", lattice=WAN.lattice),
            "only its central 100x50 are edited; scaled to 64x32",
        ),
    ],
)
def test_the_plan_says_what_it_does(plan: FitPlan, words: str) -> None:
    assert words in plan.describe()


def test_a_plan_refuses_the_wrong_clip() -> None:
    plan = plan_fit(2, 40, 50, method="crop", lattice=WAN.lattice)
    clip = torch.rand(2, 40, 50, 3)
    with pytest.raises(ValueError, match="plan is for 2 frames of 50x40"):
        fit(clip[:1], plan)
    with pytest.raises(ValueError, match="plan is for 5 frames of 48x32"):
        restore(torch.rand(1, 32, 48, 3), plan, clip)


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        (torch.zeros(9, 32, 48), "clip has shape"),
        (torch.zeros(9, 32, 48, 4), "without alpha"),
        (torch.zeros(0, 32, 48, 3), "at least one frame"),
        (torch.full((1, 2, 2, 3), 255.0), "divide 8-bit frames by 255"),
        (torch.full((1, 2, 2, 3), torch.nan), "NaN"),
    ],
)
def test_what_is_no_clip_is_refused(clip: torch.Tensor, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        check_clip(clip)


def test_the_vae_form_and_back() -> None:
    clip = torch.rand(3, 4, 5, 3)
    video = as_video(clip)
    assert video.shape == (3, 3, 4, 5)
    assert torch.equal(video[:, 1, 2, 3], clip[1, 2, 3] * 2 - 1)
    torch.testing.assert_close(as_clip(video), clip)
    assert torch.equal(
        as_clip(torch.tensor([-3.0, 3.0]).expand(3, 1, 1, 2)), torch.tensor([[[[0.0] * 3, [1.0] * 3]]])
    )
