"""The 96-channel context equals what diffusers' WanVACEPipeline prepares with the same tiny random VAE."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from PIL import Image
from torch import Tensor

from reelpatch.edits.vace.context import build_context

FRAMES, HEIGHT, WIDTH = 9, 32, 48
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def pipeline() -> WanVACEPipeline:
    torch.manual_seed(0)
    vae = AutoencoderKLWan(base_dim=8, dim_mult=[1, 1, 1, 1], num_res_blocks=1, z_dim=16).eval()
    transformer = WanVACETransformer3DModel(  # only its patch size is read
        num_attention_heads=1, attention_head_dim=12, ffn_dim=8, num_layers=1, vace_layers=[0]
    )
    return WanVACEPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=vae,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        transformer=transformer,
    )


@pytest.fixture(scope="module")
def encode(pipeline: WanVACEPipeline) -> Callable[[Tensor], Tensor]:
    config = pipeline.vae.config
    mean = torch.tensor(config.latents_mean).view(-1, 1, 1, 1)
    std = torch.tensor(config.latents_std).view(-1, 1, 1, 1)

    @torch.no_grad()
    def run(video: Tensor) -> Tensor:
        return (pipeline.vae.encode(video[None]).latent_dist.mode()[0] - mean) / std

    return run


@torch.no_grad()
def diffusers_context(
    pipeline: WanVACEPipeline, clip: np.ndarray | None, mask: np.ndarray | None, references: list[np.ndarray]
) -> Tensor:
    """Arrays are 8 bit: [F, H, W, 3], [F, H, W], and [h, w, 3] each."""
    video, masks, stills = pipeline.preprocess_conditions(
        None if clip is None else [Image.fromarray(frame) for frame in clip],
        None if mask is None else [Image.fromarray(frame).convert("RGB") for frame in mask],
        [Image.fromarray(image) for image in references] or None,
        height=HEIGHT,
        width=WIDTH,
        num_frames=FRAMES,
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    latents = pipeline.prepare_video_latents(video, masks, stills, device=torch.device("cpu"))
    return torch.cat([latents, pipeline.prepare_masks(masks, stills)], dim=1)[0]


def pixels(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def as_floats(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).float() / 255


CLIP = pixels(FRAMES, HEIGHT, WIDTH, 3, seed=1)
SOFT_MASK = pixels(FRAMES, HEIGHT, WIDTH, seed=2)
# Sides are multiples of 8 because diffusers first resizes references to such.
REFERENCES = [pixels(*size, 3, seed=3 + i) for i, size in enumerate([(24, 64), (64, 40), (HEIGHT, WIDTH)])]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("mask", [None, SOFT_MASK], ids=["no mask", "soft mask"])
def test_context_equals_diffusers(
    pipeline: WanVACEPipeline, encode: Callable[[Tensor], Tensor], mask: np.ndarray | None, count: int
) -> None:
    references = REFERENCES[:count]
    # diffusers puts each further reference in front of the earlier ones; the official code keeps the order.
    expected = diffusers_context(pipeline, CLIP, mask, references[::-1])
    context = build_context(
        as_floats(CLIP),
        None if mask is None else as_floats(mask),
        [as_floats(image) for image in references],
        encode,
        frames=FRAMES,
        height=HEIGHT,
        width=WIDTH,
    )
    assert context.shape == (96, count + 3, HEIGHT // 8, WIDTH // 8)
    assert context.std() > 0.1
    assert (context - expected).abs().max() <= TOLERANCE


def test_order_of_references_differs_from_diffusers(
    pipeline: WanVACEPipeline, encode: Callable[[Tensor], Tensor]
) -> None:
    expected = diffusers_context(pipeline, CLIP, None, REFERENCES[:2])
    references = [as_floats(image) for image in REFERENCES[:2]]
    context = build_context(
        as_floats(CLIP), None, references, encode, frames=FRAMES, height=HEIGHT, width=WIDTH
    )
    assert (context[:, [1, 0, 2, 3, 4]] - expected).abs().max() <= TOLERANCE
    assert (context - expected).abs().max() > 0.1


def test_no_clip_is_gray_and_all_edited(
    pipeline: WanVACEPipeline, encode: Callable[[Tensor], Tensor]
) -> None:
    expected = diffusers_context(pipeline, None, None, REFERENCES[:1])
    context = build_context(
        None, None, [as_floats(REFERENCES[0])], encode, frames=FRAMES, height=HEIGHT, width=WIDTH
    )
    assert (context - expected).abs().max() <= TOLERANCE
