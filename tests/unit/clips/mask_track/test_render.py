"""A mask track is rendered as it is written down plainly, and the same however its frames are asked for."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest
import torch

from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.records import (
    Box,
    Ellipse,
    Envelope,
    Keyframe,
    MaskTrack,
    Polygon,
    Region,
    Shape,
    Stroke,
    Whole,
)
from reelpatch.clips.mask_track.render import TrackRenderer
from reelpatch.clips.masks import feather_mask, grow_mask
from reelpatch.errors import BadInput
from tests.unit.clips.mask_track import plain_render
from tests.unit.clips.mask_track.drawn_tracks import FRAMES, SIZE, track

FILM = Moments(FRAMES, Fraction(24000, 1001))


@pytest.mark.parametrize("lot", range(4))
@pytest.mark.parametrize(
    ("is_upright", "tolerance"), [(True, 1e-6), (False, 1 / 255)], ids=["upright", "any"]
)
def test_it_equals_a_plain_rendering_pixel_by_pixel(lot: int, is_upright: bool, tolerance: float) -> None:
    """1000 tracks of either kind. 1/255: an ellipse is drawn as a polygon that is off by up to .004 of a pixel."""
    draw = Random(f"{lot} {is_upright}")
    for number in range(250):
        drawn = track(draw, is_upright=is_upright)
        frame = draw.randrange(FRAMES)
        found = TrackRenderer(drawn, SIZE, FILM).frame(frame).numpy()
        plain = plain_render.render(drawn, SIZE, FILM.of(frame, drawn.times))
        np.testing.assert_allclose(
            found, np.array(plain), atol=tolerance, rtol=0, err_msg=f"{number}: {drawn}"
        )


@pytest.mark.parametrize("smooth", [0, 2])
def test_it_is_the_same_whole_frame_by_frame_and_from_the_middle(smooth: int) -> None:
    draw = Random(smooth)
    for _ in range(20):
        drawn = track(draw)
        drawn = MaskTrack(1, drawn.units, drawn.times, drawn.regions, smooth, 0.05 * SIZE[0], 0.1)
        whole = TrackRenderer(drawn, SIZE, FILM).part(0, FRAMES)
        back = TrackRenderer(drawn, SIZE, FILM)
        alone = {number: back.frame(number) for number in (7, 11, 0, 6)}
        assert all(torch.equal(whole[number], mask) for number, mask in alone.items())
        assert torch.equal(TrackRenderer(drawn, SIZE, FILM).part(5, FRAMES), whole[5:])


def test_smoothing_averages_frames_then_the_mask_grows_and_is_feathered() -> None:
    regions = (Region(Box((6, 4.5), (4, 3)), envelope=Envelope(4)),)
    plain = TrackRenderer(MaskTrack(1, "pixels", "frames", regions), SIZE, FILM).part(0, FRAMES)
    whole = MaskTrack(1, "pixels", "frames", regions, 1, 2, 1)
    found = TrackRenderer(whole, SIZE, FILM).part(0, FRAMES)
    before, after = torch.cat([plain[:1], plain[:-1]]), torch.cat([plain[1:], plain[-1:]])
    steady = ((before.double() + plain + after) / 3).float()
    assert torch.equal(found, feather_mask(grow_mask(steady, px=2), px=1))
    assert found[2].max() == 0
    assert 0 < found[3].max() < 1


def test_no_more_frames_are_held_than_smoothing_needs() -> None:
    regions = (Region(Box((6, 4.5), (4, 3))),)
    renderer = TrackRenderer(MaskTrack(1, "pixels", "frames", regions, 3), SIZE, Moments(10**9, None))
    for number in range(0, 200, 3):
        renderer.frame(number)
    assert len(renderer._drawn) == 7


def one(shape: Shape, **key: float) -> TrackRenderer:
    keys = (Keyframe(Fraction(0), **key),) if key else ()
    return TrackRenderer(MaskTrack(1, "pixels", "frames", (Region(shape, keyframes=keys),)), SIZE, FILM)


@pytest.mark.parametrize(
    ("shape", "covered"),
    [
        (Box((1e6, 0), (1, 1)), 0),
        (Box((0, 0), (1e6, 1e6)), 108),
        (Box((6, 4), (0, 5)), 0),
        (Ellipse((6, 4), (1e6, 1e6)), 108),
        (Ellipse((-1e6, 4), (1e6, 1e6)), 0),
        (Polygon(((2, 3.5), (9, 3.5), (5, 3.5))), 0),
        (Polygon(((-1e6, -1e6), (1e6, -1e6), (0, 1e6))), 108),
        (Polygon(((3, 3), (3, 3), (3, 3))), 0),
        (Polygon(((2, 2), (6, 2), (6, 6), (2, 6), (2, 2), (6, 2), (6, 6), (2, 6))), 16),
        (Stroke(((6, 4.5),), 1e6), 108),
        (Stroke(((6, 4.5), (6, 4.5)), 0), 0),
    ],
    ids=str,
)
def test_shapes_of_no_size_and_beyond_all_frames_are_drawn(shape: Shape, covered: float) -> None:
    assert float(one(shape).frame(0).sum()) == pytest.approx(covered, abs=0.01)
    turned = float(one(shape, rotation=30).frame(0).sum())
    assert 0 <= turned <= 108


def test_the_edge_of_a_region_is_softened_so_far_and_no_further() -> None:
    plain = one(Box((6, 4.5), (4, 3))).frame(0)
    soft = one(Box((6, 4.5), (4, 3)), feather=1.5).frame(0)
    assert (
        float(soft[:, :2].max()) == float(soft[:, 10:].max()) == float(soft[0].max()) == 0
    )  # the box is 4-8 by 3-6
    assert float(plain[3:6, 4:8].min()) == 1
    assert 0 < float(soft[3, 3]) < 1
    assert float(one(Whole(), feather=2).frame(0).min()) == 1


@pytest.mark.parametrize("track", [{"grow": -600.0}, {"feather": 600.0}, {}], ids=str)
def test_what_would_be_moved_further_than_a_finish_may_is_refused(track: dict[str, float]) -> None:
    region = (
        Region(Whole(), keyframes=(Keyframe(Fraction(0), feather=600),)) if not track else Region(Whole())
    )
    with pytest.raises(BadInput, match=r"of 600 pixels in this clip: use at most 512\.$"):
        TrackRenderer(MaskTrack(1, "pixels", "frames", (region,), **track), SIZE, FILM)


RATES = (*(Fraction(n * 1000, 1001) for n in (24, 30, 60)), *map(Fraction, (24, 25, 30, 50)))


@pytest.mark.parametrize("fps", RATES, ids=str)
def test_ten_minutes_have_no_drift(fps: Fraction) -> None:
    """A start and an end on the time of a frame, and just beside it, in seconds: always that frame, to the last one."""
    num_frames = int(600 * fps)
    moments = Moments(num_frames, fps)
    draw = Random(str(fps))
    frames = [1, num_frames - 2, *(draw.randrange(1, num_frames - 1) for _ in range(60))]
    beside = Fraction(1, 10**9)
    for frame in frames:
        for shift, first in ((-beside, frame), (Fraction(0), frame), (beside, frame + 1)):
            envelope = Envelope(frame / fps + shift)
            drawn = MaskTrack(1, "fractions", "seconds", (Region(Whole(), envelope=envelope),))
            renderer = TrackRenderer(drawn, (1, 1), moments)
            assert [float(renderer.frame(number)) for number in (first - 1, first)] == [0, 1]
            gone = MaskTrack(
                1, "fractions", "seconds", (Region(Whole(), envelope=Envelope(None, None, envelope.start)),)
            )
            renderer = TrackRenderer(gone, (1, 1), moments)
            assert [float(renderer.frame(number)) for number in (first - 1, first)] == [1, 0]


@pytest.mark.parametrize(
    "shift", [0, Fraction(1, 10**17), -Fraction(1, 10**17)], ids=["on", "after", "before"]
)
def test_a_held_keyframe_begins_at_its_frame_however_near_its_time_is(shift: Fraction) -> None:
    """A hundredth of what a float can tell from the time of frame 7."""
    at = 7 / FILM.fps + shift
    keys = (Keyframe(Fraction(0), value=0, ease="hold"), Keyframe(at, value=1))
    drawn = MaskTrack(1, "fractions", "seconds", (Region(Whole(), keyframes=keys),))
    masks = TrackRenderer(drawn, (1, 1), FILM).part(6, 9).flatten().tolist()
    assert masks == [0, 0 if shift > 0 else 1, 1]


def test_frames_that_keep_their_own_times_are_masked_by_them() -> None:
    times = tuple(Fraction(n) for n in (0, 1, 5, 6, 20))
    starts_at_five = MaskTrack(1, "fractions", "seconds", (Region(Whole(), envelope=Envelope(5)),))
    renderer = TrackRenderer(starts_at_five, (1, 1), Moments(5, Fraction(1, 5), times))
    assert renderer.part(0, 5).flatten().tolist() == [0, 0, 1, 1, 1]


def test_seconds_need_a_rate_and_frames_do_not() -> None:
    region = Region(Whole(), envelope=Envelope(1))
    with pytest.raises(BadInput, match="counts in seconds, but the clip has no frame rate"):
        TrackRenderer(MaskTrack(1, "pixels", "seconds", (region,)), (1, 1), Moments(3, None))
    frames = TrackRenderer(MaskTrack(1, "pixels", "frames", (region,)), (1, 1), Moments(3, None))
    assert frames.part(0, 3).flatten().tolist() == [0, 1, 1]
