"""Every task by its name: what it needs, what it refuses, and that its context is legal."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reelpatch.clips.frames import Box
from reelpatch.edits.vace.context import GRAY, build_context
from reelpatch.edits.vace.task_layouts import Sides
from reelpatch.edits.vace.tasks import TASKS, BuiltTask, Sizing, TaskMaterial, build_task
from reelpatch.errors import BadInput

CLIP = torch.rand(9, 32, 48, 3) * 0.4
SIZING = Sizing(9, (32, 48))
MASK = torch.zeros(9, 32, 48)
MASK[:, 8:16, 8:16] = 1
EVERYTHING = {
    "clip": CLIP,
    "first": CLIP[:1],
    "last": CLIP[-1:],
    "mask": MASK,
    "boxes": (Box(0, 0, 16, 16), Box(8, 8, 16, 16)),
    "references": (torch.rand(10, 20, 3), torch.rand(20, 10, 4)),
    "sides": Sides(left=0.5),
    "keep": (0, 8),
}


def least(name: str) -> dict:
    """The first choice of all that the task needs."""
    return {group[0]: EVERYTHING[group[0]] for group in TASKS[name].needs}


def encode(video: torch.Tensor) -> torch.Tensor:
    return video.new_zeros(16, (video.shape[1] - 1) // 4 + 1, video.shape[2] // 8, video.shape[3] // 8)


def context_of(built: BuiltTask) -> torch.Tensor:
    frames, height, width = built.input.mask.shape
    return build_context(
        built.input.clip,
        built.input.mask,
        built.input.references,
        encode,
        frames=frames,
        height=height,
        width=width,
    )


@pytest.mark.parametrize("name", TASKS)
def test_every_task_makes_a_legal_context_of_what_it_needs(name: str) -> None:
    built = build_task(name, TaskMaterial(**least(name)), SIZING)
    assert context_of(built).shape[1] == 3 + len(built.input.references)
    assert built.describe().endswith(".")
    assert built.speed == 1


@pytest.mark.parametrize("name", TASKS)
def test_every_task_says_what_it_lacks(name: str) -> None:
    for group in TASKS[name].needs:
        rest = {key: value for key, value in least(name).items() if key not in group}
        with pytest.raises(BadInput, match=f"the task '{name}' needs"):
            build_task(name, TaskMaterial(**rest), SIZING)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_refuses_what_it_would_not_use(name: str) -> None:
    task = TASKS[name]
    used = {one for group in task.needs for one in group} | set(task.takes)
    assert EVERYTHING.keys() - used
    for stranger in EVERYTHING.keys() - used:
        with pytest.raises(BadInput, match=f"the task '{name}' has no use for"):
            build_task(name, TaskMaterial(**least(name), **{stranger: EVERYTHING[stranger]}), SIZING)


@pytest.mark.parametrize("count", range(5))
def test_references_come_in_order_and_each_takes_a_latent_frame(count: int) -> None:
    references = tuple(torch.rand(8 + number, 8, 3) for number in range(count))
    built = build_task("control", TaskMaterial(clip=CLIP, references=references), SIZING)
    assert [image.shape[0] for image in built.input.references] == [8 + number for number in range(count)]
    assert context_of(built).shape == (96, count + 3, 4, 6)


def test_inpaint_joins_mask_and_boxes() -> None:
    built = build_task("inpaint", TaskMaterial(clip=CLIP, mask=MASK, boxes=(Box(20, 30, 6, 8),)), SIZING)
    expected = MASK.clone()
    expected[:, 20:26, 30:38] = 1
    assert torch.equal(built.input.mask, expected)
    assert (built.input.clip[expected == 1] == GRAY).all()
    assert torch.equal(built.input.clip[expected == 0], CLIP[expected == 0])


def test_one_mask_serves_the_whole_clip_and_is_sampled_with_it() -> None:
    clip = torch.rand(12, 32, 48, 3)
    mask = torch.zeros(12, 32, 48)
    mask[11] = 1
    sizing = Sizing(9, (32, 48), "uniform")
    built = build_task("inpaint", TaskMaterial(clip=clip, mask=mask), sizing)
    assert built.plan is not None
    assert built.plan.picks[-1] == 11
    assert built.input.mask[:, 0, 0].tolist() == [0] * 8 + [1]
    assert built.speed == Fraction(12, 9)
    still = build_task("inpaint", TaskMaterial(clip=clip, mask=mask[11:]), sizing)
    assert (still.input.mask == 1).all()


def test_outpaint_is_sized_as_the_whole_canvas() -> None:
    clip = torch.rand(5, 32, 32, 3) * 0.4
    built = build_task(
        "outpaint", TaskMaterial(clip=clip, sides=Sides(left=0.5, right=0.5)), Sizing(5, (32, 64))
    )
    assert built.input.clip.shape == (5, 32, 64, 3)
    assert torch.equal(built.input.clip[:, :, 16:48], clip)
    assert (built.input.clip[:, :, :16] == GRAY).all()
    assert built.input.mask[0, 0].tolist() == [1] * 16 + [0] * 32 + [1] * 16


def test_the_ends_of_an_extension_are_brought_to_the_size_of_the_first() -> None:
    first, last = torch.rand(3, 64, 96, 3), torch.rand(1, 80, 80, 3)
    built = build_task("extend", TaskMaterial(first=first, last=last), SIZING)
    assert built.input.clip.shape == (9, 32, 48, 3)
    assert built.input.mask[:, 5, 5].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 0]


def test_expand_keeps_the_image_in_its_place_in_the_first_frame_alone() -> None:
    image = torch.rand(1, 32, 32, 3) * 0.4
    built = build_task("expand", TaskMaterial(first=image, sides=Sides(right=0.5)), SIZING)
    assert torch.equal(built.input.clip[0, :, :32], image[0])
    assert built.input.mask[0, 0].tolist() == [0] * 32 + [1] * 16
    assert (built.input.mask[1:] == 1).all()
    assert (built.input.clip[1:] == GRAY).all()


def test_kept_frames_are_counted_in_the_clip_that_was_given() -> None:
    clip = torch.rand(17, 32, 48, 3) * 0.4
    material = TaskMaterial(clip=clip, keep=(0, 16))
    with pytest.raises(BadInput, match="frame 16 is to be kept, but is not among the 9"):
        build_task("keep", material, SIZING)
    built = build_task("keep", material, Sizing(9, (32, 48), "uniform"))
    assert built.input.mask[:, 0, 0].tolist() == [0] + [1] * 7 + [0]
    assert torch.equal(built.input.clip[-1], clip[16])


@pytest.mark.parametrize(
    ("name", "changed", "words"),
    [
        ("dance", {}, "there is no task 'dance'"),
        ("inpaint", {"mask": MASK[:4]}, "4 frames but the clip has 9"),
        ("inpaint", {"mask": MASK[:, :16]}, "mask is 48x16"),
        ("control", {"clip": CLIP * 255}, "outside 0..1"),
        ("swap", {"references": (torch.rand(4, 4),)}, "reference 1"),
        ("move", {"boxes": (Box(0, 0, 4, 4),)}, "1 boxes were given"),
        ("expand", {"first": CLIP}, "has 9 frames"),
        ("keep", {"keep": (40,)}, "no frame 40"),
        ("outpaint", {"sides": Sides()}, "no side"),
    ],
)
def test_wrong_material_is_refused_in_one_sentence(name: str, changed: dict, words: str) -> None:
    material = TaskMaterial(**{**(least(name) if name in TASKS else {}), **changed})
    with pytest.raises(BadInput, match=words) as refusal:
        build_task(name, material, SIZING)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(TASKS)),
    st.tuples(st.integers(1, 12), st.integers(8, 70), st.integers(8, 70)),
    st.integers(0, 4),
    st.sampled_from([1, 5, 8, 9]),
    st.sampled_from(["first", "uniform"]),
    st.sampled_from(["right", "short", "small", "nan"]),
)
def test_anything_gives_a_legal_context_or_one_clear_refusal(
    name: str, shape: tuple[int, int, int], count: int, length: int, sampling: str, mask_kind: str
) -> None:
    frames, height, width = shape
    clip = torch.rand(frames, height, width, 3)
    mask = {
        "right": torch.rand(frames, height, width),
        "short": torch.rand(frames + 1, height, width),
        "small": torch.rand(frames, height, width + 1),
        "nan": torch.full((frames, height, width), torch.nan),
    }[mask_kind]
    material = {
        **least(name),
        **{
            key: value
            for key, value in {"clip": clip, "mask": mask, "first": clip[:1]}.items()
            if key in least(name)
        },
        "references": tuple(torch.rand(9, 5, 3) for _ in range(count)),
    }
    told = ""
    try:
        built = build_task(name, TaskMaterial(**material), Sizing(length, (32, 48), sampling))
    except BadInput as refusal:
        told = str(refusal)
    if told:
        assert "\n" not in told
        assert told.endswith(".")
        return
    context = context_of(built)
    assert context.isfinite().all()
    assert context.shape[1] == count + (len(built.input.clip) - 1) // 4 + 1


@pytest.mark.parametrize("name", ["inpaint", "control"])
def test_a_mask_without_anything_to_make_up_is_refused(name: str) -> None:
    """Also one whose only part lies in frames that are not worked on."""
    late = torch.cat([MASK * 0, MASK])
    for clip, mask in ((CLIP, MASK * 0), (torch.cat([CLIP, CLIP]), late)):
        with pytest.raises(BadInput, match="0 everywhere"):
            build_task(name, TaskMaterial(clip=clip, mask=mask), SIZING)
