from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reelpatch.clips.frames import as_video
from reelpatch.clips.references import letterbox, trim_references
from reelpatch.edits.vace.context import build_context, build_soft_context, fold_mask
from reelpatch.errors import BadInput

SHAPE = {"frames": 5, "height": 16, "width": 32}
CLIP, SOFT_MASK = torch.rand(5, 16, 32, 3), torch.rand(5, 16, 32)


def encode(video: Tensor) -> Tensor:
    """A linear encoder with the shapes of the VAE: 8x8 means of frames 0, 4, 8, ..., colours repeated."""
    frames = video[:, [0, *range(4, video.shape[1], 4)]]
    cells = torch.nn.functional.avg_pool2d(frames.transpose(0, 1), 8)
    return cells.transpose(0, 1).repeat(6, 1, 1, 1)[:16]


@pytest.mark.parametrize(
    ("build", "edited"), [(build_context, (SOFT_MASK > 0.5).float()), (build_soft_context, SOFT_MASK)]
)
def test_pixels_split_along_the_mask_and_the_mask_stays_soft(
    build: Callable[..., Tensor], edited: Tensor
) -> None:
    context = build(CLIP, SOFT_MASK, [], encode, **SHAPE)
    video = as_video(CLIP)
    assert torch.equal(context[:16], encode(video * (1 - edited)))
    assert torch.equal(context[16:32], encode(video * edited))
    assert torch.equal(context[32:], fold_mask(SOFT_MASK))


def test_no_mask_edits_everything() -> None:
    context = build_context(CLIP, None, [], encode, **SHAPE)
    assert (context[:16] == 0).all()  # the toy encoder maps gray to 0
    assert torch.equal(context[16:32], encode(as_video(CLIP)))
    assert (context[32:] == 1).all()


def test_no_clip_is_gray() -> None:
    context = build_context(None, None, [], encode, **SHAPE)
    assert (context[:32] == 0).all()
    assert (context[32:] == 1).all()


def test_references_lead_in_the_order_given() -> None:
    references = [torch.rand(20, 20, 3), torch.rand(7, 30, 4)]
    context = build_context(CLIP, SOFT_MASK, references, encode, **SHAPE)
    for number, image in enumerate(references):
        assert torch.equal(
            context[:16, number : number + 1], encode(as_video(letterbox(image, 16, 32)[None]))
        )
        assert (context[16:, number] == 0).all()
    plain = build_context(CLIP, SOFT_MASK, [], encode, **SHAPE)
    assert torch.equal(trim_references(context, 2), plain)
    assert torch.equal(trim_references(context[None], 2), plain[None])


@given(
    st.integers(0, 10),
    st.integers(0, 50),
    st.sampled_from([0, 16, 24, 32, 48]),
    st.sampled_from(["none", "right", "short", "small", "nan", "range"]),
    st.booleans(),
    st.integers(0, 3),
)
def test_anything_gives_a_legal_context_or_one_clear_refusal(
    frames: int, height: int, width: int, mask_kind: str, has_clip: bool, references: int
) -> None:
    mask = {
        "none": None,
        "right": torch.rand(frames, height, width),
        "short": torch.rand(frames + 1, height, width),
        "small": torch.rand(frames, height + 16, width),
        "nan": torch.full((frames, height, width), torch.nan),
        "range": torch.full((frames, height, width), 2.0),
    }[mask_kind]
    clip = torch.rand(frames, height, width, 3) if has_clip else None
    images = [torch.rand(5 + 9 * number, 20, 3) for number in range(references)]
    is_legal = frames % 4 == 1 and height % 16 == width % 16 == 0 and min(height, width) > 0
    is_legal &= mask_kind == "none" or (has_clip and mask_kind == "right")
    if is_legal:
        context = build_context(clip, mask, images, encode, frames=frames, height=height, width=width)
        assert context.shape == (96, references + (frames - 1) // 4 + 1, height // 8, width // 8)
        assert context.isfinite().all()
    else:
        with pytest.raises(BadInput) as refusal:
            build_context(clip, mask, images, encode, frames=frames, height=height, width=width)
        assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    ("clip", "mask", "references", "words"),
    [
        (CLIP[:1], None, [], "1 frames of 32x16 but the context is for 5"),
        (CLIP * 255, None, [], "values outside 0..1"),
        (None, SOFT_MASK, [], "mask was given without a clip"),
        (CLIP, SOFT_MASK[:4], [], "4 frames but the clip has 5"),
        (CLIP, None, [torch.rand(8, 8, 3), torch.rand(8, 8)], "reference 2"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_encoded(
    clip: Tensor | None, mask: Tensor | None, references: list[Tensor], words: str
) -> None:
    def never(_: Tensor) -> Tensor:
        raise AssertionError("encoded")

    with pytest.raises(BadInput, match=words):
        build_context(clip, mask, references, never, **SHAPE)


@pytest.mark.parametrize(("frames", "height", "width"), [(6, 16, 32), (5, 24, 32), (5, 16, 40)])
def test_an_illegal_shape_is_refused(frames: int, height: int, width: int) -> None:
    with pytest.raises(BadInput):
        build_context(None, None, [], encode, frames=frames, height=height, width=width)
