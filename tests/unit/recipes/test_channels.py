"""Capybara's published numbers: its sampler, its sizes, and the records of its relatives."""

import pytest
import torch

from reelpatch.clips.frames import plan_fit
from reelpatch.edits.channels.layout import ChannelLayout
from reelpatch.edits.channels.work import ChannelWork, channel_mask
from reelpatch.edits.work import EditSettings, Material
from reelpatch.errors import BadInput
from reelpatch.families.hunyuan15.family import HUNYUAN_15
from reelpatch.headless.runs.request import size_for
from reelpatch.plan.job import Job
from reelpatch.plan.models import models_of
from reelpatch.recipes import recipe
from reelpatch.recipes.channels import INSEDIT_LAYOUT
from reelpatch.recipes.levels import sigmas_of

CAPYBARA = recipe("capybara")
# Width and height as its repository has them, and a clip whose aspect is near.
BUCKETS = {
    "480p": [((848, 480), (1920, 1080)), ((720, 544), (640, 480)), ((640, 640), (700, 690)), ((544, 720), (480, 640)), ((480, 848), (1080, 1920))],
    "720p": [((1280, 720), (1920, 1080)), ((1104, 832), (640, 480)), ((960, 960), (700, 690)), ((832, 1104), (480, 640)), ((720, 1280), (1080, 1920))],
    "1024": [((1360, 768), (1920, 1080)), ((1184, 880), (640, 480)), ((1024, 1024), (700, 690)), ((880, 1184), (480, 640)), ((768, 1360), (1080, 1920))],
    "1080p": [((1920, 1088), (1920, 1080)), ((1664, 1248), (640, 480)), ((1440, 1440), (700, 690)), ((1248, 1664), (480, 640)), ((1088, 1920), (1080, 1920))],
}  # fmt: skip


@pytest.mark.parametrize(
    ("level", "bucket", "clip"), [(level, *row) for level, rows in BUCKETS.items() for row in rows]
)
def test_every_published_size_is_hit(level: str, bucket: tuple[int, int], clip: tuple[int, int]) -> None:
    assert CAPYBARA.buckets is not None
    assert CAPYBARA.buckets.nearest(clip[1], clip[0], level=level) == bucket[::-1]
    assert HUNYUAN_15.lattice.nearest_size(*bucket) == bucket


def test_clips_and_pictures_take_their_levels() -> None:
    assert CAPYBARA.buckets is not None
    assert CAPYBARA.buckets.nearest(1080, 1920) == (480, 848)
    assert CAPYBARA.buckets.nearest(1080, 1920, is_picture=True) == (720, 1280)
    assert size_for(None, "crop", CAPYBARA, (1080, 1920)) == (480, 848)
    assert size_for((720, 1280), "crop", CAPYBARA, (1080, 1920)) == (720, 1280)
    assert size_for(None, None, CAPYBARA, (1080, 1920)) is None
    assert size_for(None, "crop", recipe("vace"), (1080, 1920)) is None


def test_its_sampler_is_the_published_one() -> None:
    assert (CAPYBARA.steps, CAPYBARA.shift, CAPYBARA.solver, CAPYBARA.guidance.scale) == (
        50,
        5.0,
        "euler",
        1.0,
    )
    assert (CAPYBARA.width, CAPYBARA.height, CAPYBARA.frames, CAPYBARA.fps) == (848, 480, 81, 24)
    assert (CAPYBARA.negative_prompt, CAPYBARA.skip_layers) == ("", None)
    sigmas = sigmas_of(CAPYBARA).double()
    assert len(sigmas) == 51
    # s * x / (1 + (s - 1) * x) of x = 1, 0.98, 0.96, 0.5, 0.02, 0 with s = 5.
    table = {0: 1.0, 1: 0.9959349593, 2: 0.9917355372, 25: 0.8333333333, 49: 0.0925925926, 50: 0.0}
    for step, sigma in table.items():
        assert float(sigmas[step]) == pytest.approx(sigma, abs=1e-6)
    job = Job(CAPYBARA, 81, (480, 848))
    assert (job.tokens, len(list(job.passes())), job.num_prompts) == (33390, 50, 1)
    assert models_of(CAPYBARA, {}).num_parameters == 8_326_608_160


def prepared(layout: ChannelLayout, frames: int = 9, mask: torch.Tensor | None = None):
    asked: list[torch.Tensor] = []

    def look(pictures: torch.Tensor) -> torch.Tensor:
        asked.append(pictures)
        return torch.zeros(1, 4 * len(pictures), 8)

    clip = torch.rand(frames, 32, 48, 3)
    material = Material(clip, plan_fit(frames, 32, 48, lattice=HUNYUAN_15.lattice), mask)
    settings = EditSettings(method=layout, look=look)
    seen = (
        ChannelWork()
        .prepare(material, settings, lambda video: torch.ones(32, (video.shape[1] + 3) // 4, 2, 3))
        .seen
    )
    return clip, seen, asked


def test_it_sees_first_middle_and_last_and_a_mask_of_ones() -> None:
    clip, seen, (pictures,) = prepared(ChannelLayout(), mask=torch.zeros(9, 32, 48))
    assert torch.equal(pictures, clip[[0, 4, 8]])
    assert torch.equal(seen.mask, torch.ones(1, 3, 2, 3))
    clip, _, (pictures,) = prepared(ChannelLayout(), frames=1)
    assert torch.equal(pictures, clip)


def test_insedits_mask_says_where_and_one_frame_is_seen() -> None:
    where = torch.zeros(9, 32, 48)
    where[6, 20, 40] = 0.25
    clip, seen, (pictures,) = prepared(ChannelLayout(mask="edited", looks="first"), mask=where)
    assert torch.equal(pictures, clip[:1])
    expected = torch.zeros(1, 3, 2, 3)
    expected[0, 2, 1, 2] = 1
    assert torch.equal(seen.mask, expected)
    assert (INSEDIT_LAYOUT.mask, INSEDIT_LAYOUT.looks, INSEDIT_LAYOUT.text_sees) == ("edited", "first", True)
    with pytest.raises(BadInput, match="its authors have not published: use capybara"):
        prepared(INSEDIT_LAYOUT)


def test_a_picture_has_a_mask_of_its_own_frame() -> None:
    where = torch.zeros(1, 32, 48)
    where[0, 0, 0] = 1
    assert channel_mask(where, torch.zeros(32, 1, 2, 3)).flatten().tolist() == [1, 0, 0, 0, 0, 0]


def test_references_and_a_missing_picture_encoder_are_told() -> None:
    with pytest.raises(BadInput, match="2 references were given, but this method looks at none"):
        ChannelLayout().check(2)
    material = Material(torch.rand(1, 32, 48, 3), plan_fit(1, 32, 48, lattice=HUNYUAN_15.lattice))
    with pytest.raises(BadInput, match="there is no picture encoder here: get SigLIP"):
        ChannelWork().prepare(
            material, EditSettings(method=ChannelLayout()), lambda _video: torch.ones(32, 1, 2, 3)
        )
