"""Stage 1: a small Wan2.1-type VAE (base width 16), still pictures first, then clips of 5 and 9 frames.

With default initialisation this architecture does not train in CPU time (no normalisation between strided
convolutions, so the signal dies). What works: kaiming gain on the newest temporal tap only (all others start at
zero: a picture VAE inflated to video), zero biases, and every residual branch starting at zero.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor, nn

from reelpatch.headless.demo import scenes
from training import run, whole_clip
from training.restore import restore_vae

# (steps, frames, clips a batch): seconds a step on two cores with bf16 arithmetic are 0.55, 0.75 and 1.1.
STAGES = ((500, 1, 16), (300, 5, 4), (2300, 9, 4))
NUM_STEPS = sum(steps for steps, _, _ in STAGES)
LATENT_NOISE = 0.03  # more of it drowns faint edges: with 0.1, gray shapes on gray came back without outlines
EDGE_WEIGHT = 0.06  # on the share of a clip's edges that is lost, about half of them at first
FLICKER_WEIGHT = (
    0.03  # on what changes from frame to frame and should not: without it every latent frame jumps
)
CLIP = (1, 2, 3, 4)  # what is averaged over for one number a clip
STYLED_SHARE = 0.4  # of the clips, so that low contrast is not rare
# The decoder alone, at the end, on more of what has faint outlines: latents stay as they are, whatever was trained on them.
DECODER_STEPS, DECODER_STYLED_SHARE, DECODER_EDGE_WEIGHT = 700, 0.65, 0.12
KL_WEIGHT = 1e-4
VALIDATION_SEEDS = range(scenes.HELD_OUT - 16, scenes.HELD_OUT)


def build() -> AutoencoderKLWan:
    """The untrained VAE with the initialisation described above."""
    torch.manual_seed(0)
    vae = AutoencoderKLWan(base_dim=16, z_dim=16)
    for module in vae.modules():
        if isinstance(module, nn.Conv3d | nn.Conv2d):
            _inflate(module)
    for name, module in vae.named_modules():
        if name.endswith((".conv2", ".proj")):
            nn.init.zeros_(module.weight)
    nn.Module.to(vae, run.DEVICE)  # diffusers' own `to` hides its types
    return vae


def shipped(models: Path) -> AutoencoderKLWan:
    """The finished VAE of a models folder, on the device that trains."""
    vae = build()
    restore_vae(vae, models)
    return vae.eval()


def _inflate(conv: nn.Conv3d | nn.Conv2d) -> None:
    with torch.no_grad():
        newest = conv.weight[:, :, -1] if isinstance(conv, nn.Conv3d) else conv.weight
        first = torch.empty_like(newest)
        nn.init.kaiming_normal_(first, nonlinearity="linear")
        conv.weight.zero_()
        newest.copy_(first)
        if conv.bias is not None:
            conv.bias.zero_()


def stage_of(step: int) -> tuple[int, int]:
    """Frames and clips a batch at a step."""
    for steps, frames, clips in STAGES:
        if step < steps:
            return frames, clips
        step -= steps
    return STAGES[-1][1:]


def batch_of(step: int, styled_share: float = STYLED_SHARE) -> Tensor:
    """The step's clips `[B, 3, F, H, W]` in [-1, 1]: sources, results, and masked ones with their gray holes."""
    frames, clips = stage_of(step)
    rng = np.random.default_rng([1, step])
    pool = []
    for _ in range(clips):
        kind = "style" if rng.random() < styled_share else None
        one = scenes.example(int(rng.integers(1, 10_000_000)), kind=kind)
        hole = one.source * (one.mask if rng.random() < 0.5 else 1 - one.mask)[..., None]
        hole = hole + np.float32(0.5) * (hole == 0).all(axis=-1, keepdims=True)
        variants = [one.source, one.target, hole if one.mask_kind != "none" else one.source]
        pool.append(variants[rng.choice(3, p=(0.45, 0.4, 0.15))])
    starts = rng.integers(0, scenes.NUM_FRAMES - frames + 1, len(pool))
    cut = np.stack([clip[start : start + frames] for clip, start in zip(pool, starts, strict=True)])
    return torch.from_numpy(cut.astype(np.float32)).permute(0, 4, 1, 2, 3) * 2 - 1


def edges_lost(video: Tensor, error: Tensor) -> Tensor:
    """Energy of the error's edges as a share of the clip's own, `[B]`, for `[B, 3, F, H, W]`: faint edges count fully."""
    lost, had = (
        clip.diff(dim=-1).square().mean(CLIP) + clip.diff(dim=-2).square().mean(CLIP)
        for clip in (error, video)
    )
    return lost / (had + 1e-4)


def flicker(video: Tensor, error: Tensor) -> Tensor:
    """Energy of the error's changes over time as a share of the clip's own, `[B]`, for `[B, 3, F, H, W]`; F = 1 has none."""
    if video.shape[2] == 1:
        return video.new_zeros(len(video))
    false, own = (clip.diff(dim=2).square().mean(CLIP) for clip in (error, video))
    return false / (own + 1e-3)


def train(folder: Path, start: Path | None = None) -> AutoencoderKLWan:
    """Train, or go on training, in `folder`; returns the VAE with averaged weights.

    With `start`, a folder of finished files, only the last stage is run, from the VAE there.
    """
    vae, first_step = build(), 0
    if start is not None:
        restore_vae(vae, start)
        first_step = NUM_STEPS - STAGES[-1][0]
    optimizer = run.Matrices(vae, muon_lr=0.02, adamw_lr=1e-3)

    def loss_of(step: int) -> Tensor:
        video = batch_of(step).to(run.DEVICE)
        with run.fast_arithmetic():
            latents = whole_clip.encode(vae, video).float()
        return lost(vae, latents, video, step, EDGE_WEIGHT) + KL_WEIGHT * latents.square().mean()

    average = run.train(
        vae,
        optimizer,
        loss_of,
        num_steps=NUM_STEPS,
        checkpoint=folder / "vae.pt",
        first_step=first_step,
        report=lambda average: _reported(vae, average),
    )
    vae.load_state_dict({**vae.state_dict(), **average.weights})
    return vae


def sharpen(folder: Path, vae: AutoencoderKLWan) -> None:
    """Train, or go on training, the decoder alone."""
    vae.requires_grad_(False)
    for part in (vae.decoder, vae.post_quant_conv):
        part.requires_grad_(True)
    optimizer = run.Matrices(vae, muon_lr=0.01, adamw_lr=5e-4)

    def loss_of(step: int) -> Tensor:
        video = batch_of(NUM_STEPS + step, DECODER_STYLED_SHARE).to(run.DEVICE)
        with torch.no_grad(), run.fast_arithmetic():
            latents = whole_clip.encode(vae, video).float()
        return lost(vae, latents, video, NUM_STEPS + step, DECODER_EDGE_WEIGHT)

    average = run.train(
        vae,
        optimizer,
        loss_of,
        num_steps=DECODER_STEPS,
        checkpoint=folder / "vae_decoder.pt",
        report=lambda average: _reported(vae, average),
    )
    vae.load_state_dict({**vae.state_dict(), **average.weights})


def lost(vae: AutoencoderKLWan, latents: Tensor, video: Tensor, step: int, edge_weight: float) -> Tensor:
    """What is wrong with the video that is decoded from latents with a little of the step's noise on them."""
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(step)) * LATENT_NOISE
    with run.fast_arithmetic():
        error = whole_clip.decode(vae, latents + noise.to(run.DEVICE)).float() - video
    of_pixels = error.square().mean() + 0.1 * error.abs().mean()
    shares = edge_weight * edges_lost(video, error) + FLICKER_WEIGHT * flicker(video, error)
    return of_pixels + shares.mean()


def _reported(vae: AutoencoderKLWan, average: run.Average) -> str:
    judged = build()
    judged.load_state_dict({**vae.state_dict(), **average.weights})
    return f"validation PSNR {psnr(judged):.2f} dB"


@torch.no_grad()
def psnr(vae: AutoencoderKLWan) -> float:
    """Mean over validation clips of the PSNR of a 9-frame encode and decode, in dB."""
    clips = np.stack([scenes.example(seed).target for seed in VALIDATION_SEEDS])
    video = torch.from_numpy(clips).permute(0, 4, 1, 2, 3).to(run.DEVICE) * 2 - 1
    again = whole_clip.decode(vae, whole_clip.encode(vae, video)).clamp(-1, 1)
    mse = ((again - video) / 2).square().mean(dim=(1, 2, 3, 4))
    return float((-10 * torch.log10(mse)).mean())
