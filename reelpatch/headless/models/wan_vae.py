"""The Wan2.1 VAE: frames to normalised latents and back, on diffusers' implementation."""

from pathlib import Path

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.names import vae_native_to_diffusers
from reelpatch.headless.models.fill import Precision, fill
from reelpatch.headless.models.small_clip_kernels import speed_up_small_clips
from reelpatch.plan.memory import TILE_PX, TILE_STRIDE_PX
from reelpatch.weights.header import Kind
from reelpatch.weights.weight_files import expect_weights

_FRAMES_PER_LATENT, _PIXELS_PER_LATENT = WAN.lattice.frames_per_latent, WAN.lattice.cell_px


class Vae:
    """Frames to normalised latents and back.

    Shapes: video [3, 4n + 1, H, W] in [-1, 1], H and W multiples of 8; latents [16, n + 1, H / 8, W / 8].
    Source: latents are (mean - m) / s with m and s published with Wan2.1 (diffusers' defaults); never sampled.
    """

    def __init__(self, model: AutoencoderKLWan) -> None:
        self.model = model
        statistics = torch.tensor([model.config["latents_mean"], model.config["latents_std"]])
        self._mean, self._std = statistics[:, :, None, None, None].to(model.device)

    def work_in_tiles(self, is_tiled: bool) -> None:
        """Less memory for large pictures, at the price of more arithmetic and of blended seams; or whole again."""
        if is_tiled:
            self.model.enable_tiling(TILE_PX, TILE_PX, TILE_STRIDE_PX, TILE_STRIDE_PX)
        else:
            self.model.disable_tiling()

    @torch.no_grad()
    def encode(self, video: Tensor) -> Tensor:
        """Latents in fp32. `ValueError` for sizes of which the model would silently drop a part."""
        _, num_frames, *size = video.shape
        if num_frames % _FRAMES_PER_LATENT != 1 or any(length % _PIXELS_PER_LATENT for length in size):
            raise ValueError(
                f"the VAE takes 4n + 1 frames of sides in multiples of 8, not {tuple(video.shape)}"
            )
        frames = video[None].to(self.model.device, self.model.dtype)
        posterior = self.model.encode(frames, return_dict=False)[0]
        return (posterior.mode()[0].float() - self._mean) / self._std

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Video in fp32, clamped to [-1, 1]."""
        latents = latents.to(self.model.device, torch.float32) * self._std + self._mean
        (video,) = self.model.decode(latents[None].to(self.model.dtype), return_dict=False)[0]
        return video.float().clamp(-1, 1)


def load_vae(path: Path, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Vae:
    """A Wan2.1-type VAE of any base width; `BadInput` for files of another kind or with keys that do not fit.

    Precision: the official run decodes in fp32; bf16 drifts a little.
    """
    file = expect_weights(path, Kind.VAE21)
    with torch.device("meta"):
        model = AutoencoderKLWan(
            base_dim=file.shape("encoder.conv1.weight")[0],
            decoder_base_dim=file.shape("decoder.head.0.gamma")[0],
            z_dim=file.shape("conv2.weight")[0],
        )
    fill(model, file, vae_native_to_diffusers, precision=Precision(dtype), device=torch.device(device))
    speed_up_small_clips(model)
    return Vae(model)
