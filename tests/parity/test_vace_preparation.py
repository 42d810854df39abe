"""Real clips, prepared as VACE prepares them: against its rules written out here, step by step.

The clips are those of VACE's own examples (swap_anything and firstframe). Their footage has no licence of its own, so
it does not come along: $REELPATCH_CLIPS names the folder that has them.
"""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_floats
from reelpatch.clips.cover import cover
from reelpatch.edits.vace.context import build_context
from reelpatch.edits.vace.task_layouts import VaceInput
from reelpatch.edits.vace.tasks import Sizing, TaskMaterial, build_task
from reelpatch.media.stills import read_still
from reelpatch.media.video_io import read_video

FOLDER = Path(os.environ.get("REELPATCH_CLIPS", ""))
pytestmark = pytest.mark.skipif(
    not (FOLDER / "swap_anything_src_video.mp4").is_file(),
    reason="$REELPATCH_CLIPS does not name a folder with VACE's example clips",
)
Bytes = NDArray[np.uint8]
LEVEL = 1 / 255 + 1e-6
COMPARED_EVERY = 8  # frames of pixels; picks and masks are compared in full


def frames_of(name: str) -> Bytes:
    return read_video(FOLDER / name, folder_fps=Fraction(1)).frames


def official_plan(count: int, height: int, width: int, fps: float) -> tuple[tuple[int, int], list[int]]:
    """480p: at most 32760 tokens, of 480 x 832 / 256 a frame; frames by time stamps, as a video reader gives them."""
    area = min(32760, 480 * 832 / 256, (height // 16) * (width // 16))
    latents = min((count - 1) // 4 + 1, int(32760 / area))
    area = min(area, int(32760 / latents))
    rows = round(np.sqrt(area * (height / width)))
    columns = int(area / rows)
    length = 4 * (latents - 1) + 1
    stamps = np.array([(i / fps, (i + 1) / fps) for i in range(count)], dtype=np.float32)
    moments = np.linspace(0.0, stamps[-1].mean(), length)
    shown = (moments[:, None] >= stamps[None, :, 0]) & (moments[:, None] <= stamps[None, :, 1])
    return (rows * 16, columns * 16), np.argmax(shown, axis=1).tolist()


def official_frames(frames: Bytes, size: tuple[int, int]) -> Bytes:
    """Bicubic with antialiasing on bytes, to cover the size, then the centre: [F, h, w, 3] -> [F, *size, 3]."""
    height, width = frames.shape[1:3]
    scale = max(size[0] / height, size[1] / width)
    scaled = (round(scale * height), round(scale * width))
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()
    pixels = torch.nn.functional.interpolate(pixels, size=scaled, mode="bicubic", antialias=True)
    top, left = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    return pixels[:, :, top : top + size[0], left : left + size[1]].permute(0, 2, 3, 1).numpy()


def official_letterbox(image: Bytes, size: tuple[int, int]) -> NDArray[np.float64]:
    """Half-pixel bilinear without antialiasing, in [0, 1], on white."""
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    rows, columns = int(height * scale), int(width * scale)
    y = ((np.arange(rows) + 0.5) * (height / rows) - 0.5).clip(0, height - 1)
    x = ((np.arange(columns) + 0.5) * (width / columns) - 0.5).clip(0, width - 1)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = (y - top)[:, None, None], (x - left)[None, :, None]
    values = image / 255
    upper = values[top][:, left] * (1 - across) + values[top][:, right] * across
    lower = values[bottom][:, left] * (1 - across) + values[bottom][:, right] * across
    canvas = np.ones((*size, 3))
    place = (size[0] - rows) // 2, (size[1] - columns) // 2
    canvas[place[0] : place[0] + rows, place[1] : place[1] + columns] = upper * (1 - down) + lower * down
    return canvas


def official_mask_channels(mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """[F, H, W] -> [64, T, H/8, W/8]."""
    frames, height, width = mask.shape
    latents = (frames + 3) // 4
    picked = mask[[int((part + 0.5) * frames / latents) for part in range(latents)]]
    channels = [picked[:, row::8, column::8] for row in range(8) for column in range(8)]
    assert channels[0].shape == (latents, height // 8, width // 8)
    return np.stack(channels)


def passed_to_the_vae(built: VaceInput) -> tuple[list[Tensor], Tensor]:
    """Each video that would be encoded, and the context made of empty latents."""
    videos: list[Tensor] = []

    def encode(video: Tensor) -> Tensor:
        videos.append(video)
        return video.new_zeros(16, (video.shape[1] - 1) // 4 + 1, video.shape[2] // 8, video.shape[3] // 8)

    frames, height, width = built.mask.shape
    context = build_context(
        built.clip, built.mask, built.references, encode, frames=frames, height=height, width=width
    )
    return videos, context


def prepared(video: Bytes, mask: Bytes, references: tuple[Tensor, ...]) -> tuple[VaceInput, tuple[int, ...]]:
    material = TaskMaterial(clip=to_floats(video), mask=to_floats(mask[..., 0]), references=references)
    built = build_task("control", material, Sizing(81, (480, 832), "uniform"))
    assert built.plan is not None
    return built.input, built.plan.picks


def check(name: str, fps: float, references: tuple[Tensor, ...] = (), images: tuple[Bytes, ...] = ()) -> None:
    video, mask = frames_of(f"{name}_src_video.mp4"), frames_of(f"{name}_src_mask.mp4")
    built, picks = prepared(video, mask, references)
    size, official_picks = official_plan(*video.shape[:3], fps)
    assert list(picks) == official_picks
    official_masks = official_frames(mask[official_picks], size)[..., 0]
    assert np.array_equal(built.mask.mul(255).round().byte().numpy(), official_masks)
    videos, context = passed_to_the_vae(built)
    *stills, inactive, reactive = (
        one.permute(1, 2, 3, 0).add(1).div(2).numpy() for one in [*videos[2:], *videos[:2]]
    )
    for index, pick in list(enumerate(picks))[::COMPARED_EVERY]:
        pixels = official_frames(video[[pick]], size)[0] / 255
        edited = (official_masks[index] / 255 > 0.5)[..., None]
        assert np.abs(inactive[index] - np.where(edited, 0.5, pixels)).max() <= LEVEL
        assert np.abs(reactive[index] - np.where(edited, pixels, 0.5)).max() <= LEVEL
    expected = official_mask_channels((official_masks / np.float32(255)).astype(np.float32))
    assert np.array_equal(context[32:, len(images) :].numpy(), expected)
    assert len(stills) == len(images)
    for still, image in zip(stills, images, strict=True):
        assert np.abs(still[0] - official_letterbox(image, size)).max() <= LEVEL
        assert not context[16:, : len(images)].any()


def test_swap_by_mask_and_reference() -> None:
    still = read_still(FOLDER / "swap_anything_src_ref_image_1.png")
    # The published preparation drops an alpha channel; over opaque parts both agree.
    rgb = still[..., :3]
    check("swap_anything", 16, (to_floats(rgb),), (rgb,))


def test_first_frame() -> None:
    check("firstframe", 30)


def test_a_clip_that_is_gray_under_its_mask_already_is_inpainted_the_same() -> None:
    video, mask = (frames_of(f"swap_anything_src_{kind}.mp4")[:5] for kind in ("video", "mask"))
    material = TaskMaterial(clip=to_floats(video), mask=to_floats(mask[..., 0]))
    as_is, filled = (
        build_task(name, material, Sizing(5, (416, 960))).input for name in ("control", "inpaint")
    )
    (kept, _), _ = passed_to_the_vae(as_is)
    (inactive, reactive), _ = passed_to_the_vae(filled)
    assert torch.equal(kept, inactive)
    assert not reactive.any()


def test_pillow_resamples_the_same_but_for_its_rounding() -> None:
    """Both round between rows and columns, with different fixed-point weights: two levels at most, and rarely."""
    frame = frames_of("swap_anything_src_video.mp4")[0]
    resized = Image.fromarray(frame).resize((986, 416), Image.Resampling.BICUBIC).crop((13, 0, 973, 416))
    ours = cover(to_floats(frame[None]), (416, 960))[0].mul(255).round().numpy()
    difference = np.abs(ours - np.asarray(resized, np.float32))
    assert difference.max() <= 2
    assert (difference > 0).mean() < 0.001
