"""A clip is encoded once for all edits of it, and what is kept is bounded."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reelpatch.headless.editor import Editor
from reelpatch.headless.models.encoded_clips import EncodedClips
from reelpatch.headless.models.wan_vae import Vae
from reelpatch.recipes import recipe
from tests.conftest import moving_square


class Counted:
    """Encodes by adding one, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, video: Tensor) -> Tensor:
        self.calls += 1
        return video.float() + 1

    def through(self, clips: EncodedClips, way: bool = False) -> Callable[[Tensor], Tensor]:
        return lambda video: clips.latents(video, way, lambda: self(video))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_clip_is_encoded_once_and_never_shared(dtype: torch.dtype) -> None:
    encode, clips = Counted(), EncodedClips()
    once = encode.through(clips)
    video = torch.rand(3, 5, 4, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    first = once(video)
    first.zero_()  # what is kept is not what was handed out
    again = once(video.clone())
    again_too = once(video)
    assert encode.calls == 1
    assert torch.equal(again, video.float() + 1)
    again.zero_()
    assert torch.equal(again_too, video.float() + 1)


def test_another_number_shape_or_way_is_another_clip() -> None:
    encode, clips = Counted(), EncodedClips()
    once = encode.through(clips)
    video = torch.zeros(3, 5, 4, 6)
    changed = video.clone()
    changed[2, 4, 3, 5] = 1e-30
    for one in (video, changed, video.reshape(3, 5, 6, 4), video.double()):
        once(one)
    assert encode.calls == 4
    encode.through(clips, True)(video)
    assert encode.calls == 5


def test_a_clip_that_is_no_block_of_memory_is_known_by_its_numbers() -> None:
    encode = Counted()
    once = encode.through(EncodedClips())
    video = torch.rand(5, 4, 6, 3, generator=torch.Generator().manual_seed(0)).permute(3, 0, 1, 2)
    assert torch.equal(once(video), once(video.contiguous()))
    assert encode.calls == 1


def test_the_least_recently_used_is_dropped() -> None:
    encode = Counted()
    once = encode.through(EncodedClips(most_bytes=2 * 4 * 12))
    first, second, third = (torch.full((3, 1, 2, 2), float(number)) for number in range(3))
    for one in (first, second, first, third, first):
        once(one)
    assert encode.calls == 3
    once(second)
    assert encode.calls == 4


def test_a_second_edit_of_a_clip_encodes_nothing(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = torch.from_numpy(moving_square()).float() / 255
    encoded: list[tuple[int, ...]] = []
    usual = Vae.encode

    def encode(self: Vae, video: Tensor) -> Tensor:
        encoded.append(tuple(video.shape))
        return usual(self, video)

    monkeypatch.setattr(Vae, "encode", encode)
    editor = Editor(recipe("demo"), models_folder)
    first = editor.edit(clip, "make it sepia")
    count = len(encoded)
    assert count
    assert torch.equal(editor.edit(clip, "make it sepia"), first)
    assert not torch.equal(editor.edit(clip, "make it blue"), first)
    assert len(encoded) == count
    editor.edit(clip.flip(0), "make it sepia")
    assert len(encoded) > count
