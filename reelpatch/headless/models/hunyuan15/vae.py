"""HunyuanVideo-1.5's VAE: frames to scaled latents and back, on diffusers' implementation."""

from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKLHunyuanVideo15
from torch import Tensor

from reelpatch.families.counts import tiles_of
from reelpatch.families.hunyuan15.counts import HunyuanCounts
from reelpatch.families.hunyuan15.family import HUNYUAN_15
from reelpatch.families.hunyuan15.files import HunyuanFile
from reelpatch.headless.models.fill import Precision, fill
from reelpatch.headless.models.small_clip_kernels import speed_up_small_clips
from reelpatch.headless.models.tiles import over_tiles
from reelpatch.weights.weight_files import expect_weights


class HunyuanVae:
    """Frames to scaled latents and back.

    Shapes: video [3, 4n + 1, H, W] in [-1, 1], H and W multiples of 16; latents [32, n + 1, H / 16, W / 16].
    Source: latents are mean * 1.03682, as diffusers' defaults have it; never sampled. Pictures larger than a tile are worked on
        tile by tile, because all frames of a clip go through at once.
    """

    def __init__(self, model: AutoencoderKLHunyuanVideo15) -> None:
        self.model = model
        self._scale: float = model.config["scaling_factor"]

    def work_in_tiles(self, is_tiled: bool) -> None:
        """It always does."""

    @torch.no_grad()
    def encode(self, video: Tensor) -> Tensor:
        """Latents in fp32. `ValueError` for sizes of which the model would silently drop a part."""
        _, num_frames, *size = video.shape
        lattice = HUNYUAN_15.lattice
        if num_frames % lattice.frames_per_latent != 1 or any(side % lattice.cell_px for side in size):
            raise ValueError(
                f"the VAE takes 4n + 1 frames of sides in multiples of {lattice.cell_px}, not {tuple(video.shape)}"
            )
        height, width = size
        return over_tiles(
            self._encoded, video, tiles_of((height, width)), given_px=1, made_px=lattice.cell_px
        )

    def _encoded(self, video: Tensor) -> Tensor:
        frames = video[None].to(self.model.device, self.model.dtype)
        posterior = self.model.encode(frames, return_dict=False)[0]
        return posterior.mode()[0].float() * self._scale

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Video in fp32, clamped to [-1, 1]."""
        cell = HUNYUAN_15.lattice.cell_px
        height, width = (cell * side for side in latents.shape[-2:])
        return over_tiles(self._decoded, latents, tiles_of((height, width)), given_px=cell, made_px=1)

    def _decoded(self, latents: Tensor) -> Tensor:
        latents = latents.to(self.model.device, torch.float32) / self._scale
        (video,) = self.model.decode(latents[None].to(self.model.dtype), return_dict=False)[0]
        return video.float().clamp(-1, 1)


def load_vae(
    path: Path, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> HunyuanVae:
    """A VAE of the HunyuanVideo-1.5 kind, of any widths; `BadInput` for files of another kind or with keys that do not fit."""
    file = expect_weights(path, HunyuanFile.VAE)
    sizes = HunyuanCounts().vae(file)
    with torch.device("meta"):
        model = AutoencoderKLHunyuanVideo15(
            block_out_channels=cast(Any, sizes.widths), latent_channels=sizes.latent_channels
        )
    fill(model, file, str, precision=Precision(dtype), device=torch.device(device))
    if torch.device(device).type == "cpu":
        speed_up_small_clips(model)
    return HunyuanVae(model)
