"""Wan's VAEs: frames to normalised latents and back, on diffusers' implementation."""

from pathlib import Path

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from reelpatch.families.counts import TILE_PX, tiles_of
from reelpatch.families.naming import Naming
from reelpatch.families.wan.family import WAN_5B_FAMILY
from reelpatch.families.wan.names import vae22_native_to_diffusers, vae_native_to_diffusers
from reelpatch.headless.models.fill import Precision, fill
from reelpatch.headless.models.small_clip_kernels import speed_up_small_clips
from reelpatch.headless.models.tiles import over_tiles
from reelpatch.weights.header import Kind, KnownFile
from reelpatch.weights.weight_files import expect_weights

_STAGES_PX = 8  # how much smaller a side is after the stages of either VAE
# What latents of 48 channels are normalised by. Source: Wan2.2, `wan/modules/vae2_2.py`.
WIDE_MEAN = (
    *(-0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813, 0.0891),
    *(0.1570, -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502),
    *(-0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230, -0.0313, -0.1649, 0.0117, 0.0723),
    *(-0.2839, -0.2083, -0.0520, 0.3748, 0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667),
)
WIDE_STD = (
    *(0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901),
    *(0.6885, 0.6165, 0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659),
    *(0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944),
    *(0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744),
)


class Vae:
    """Frames to normalised latents and back.

    Shapes: video [3, 4n + 1, H, W] in [-1, 1], H and W multiples of 8; latents [16, n + 1, H / 8, W / 8]. Of Wan2.2's VAE
        multiples of 16, and [48, n + 1, H / 16, W / 16].
    Source: latents are (mean - m) / s with m and s published with Wan2.1 (diffusers' defaults) or Wan2.2; never sampled.
    """

    def __init__(self, model: AutoencoderKLWan) -> None:
        self.model = model
        self._frames_per_latent: int = model.config["scale_factor_temporal"]
        self._cell_px: int = model.config["scale_factor_spatial"]
        statistics = torch.tensor([model.config["latents_mean"], model.config["latents_std"]])
        self._mean, self._std = statistics[:, :, None, None, None].to(model.device)
        self._is_tiled = False

    def work_in_tiles(self, is_tiled: bool) -> None:
        """Less memory for large pictures, at the price of more arithmetic and of blended tiles; or whole again."""
        self._is_tiled = is_tiled

    @torch.no_grad()
    def encode(self, video: Tensor) -> Tensor:
        """Latents in fp32. `ValueError` for sizes of which the model would silently drop a part."""
        _, num_frames, *size = video.shape
        if num_frames % self._frames_per_latent != 1 or any(length % self._cell_px for length in size):
            raise ValueError(
                f"the VAE takes 4n + 1 frames of sides in multiples of {self._cell_px}, not {tuple(video.shape)}"
            )
        if self._is_tiled and max(size) > TILE_PX:
            height, width = size
            return over_tiles(
                self._encoded, video, tiles_of((height, width)), given_px=1, made_px=self._cell_px
            )
        return self._encoded(video)

    def _encoded(self, video: Tensor) -> Tensor:
        frames = video[None].to(self.model.device, self.model.dtype)
        posterior = self.model.encode(frames, return_dict=False)[0]
        return (posterior.mode()[0].float() - self._mean) / self._std

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Video in fp32, clamped to [-1, 1]."""
        height, width = (self._cell_px * side for side in latents.shape[-2:])
        if self._is_tiled and max(height, width) > TILE_PX:
            return over_tiles(
                self._decoded, latents, tiles_of((height, width)), given_px=self._cell_px, made_px=1
            )
        return self._decoded(latents)

    def _decoded(self, latents: Tensor) -> Tensor:
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
    return _filled(model, file, vae_native_to_diffusers, dtype, device)


def load_wide_vae(
    path: Path, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Vae:
    """A VAE of the Wan2.2 kind, of 48 channels and any widths; `BadInput` as `load_vae`."""
    file = expect_weights(path, Kind.VAE22)
    lattice = WAN_5B_FAMILY.lattice
    patch_px = lattice.cell_px // _STAGES_PX
    colours = 3 * patch_px**2
    with torch.device("meta"):
        model = AutoencoderKLWan(
            base_dim=file.shape("encoder.conv1.weight")[0],
            decoder_base_dim=file.shape("decoder.head.0.gamma")[0],
            z_dim=lattice.channels,
            latents_mean=list(WIDE_MEAN),
            latents_std=list(WIDE_STD),
            is_residual=True,
            in_channels=colours,
            out_channels=colours,
            patch_size=patch_px,
            scale_factor_temporal=lattice.frames_per_latent,
            scale_factor_spatial=lattice.cell_px,
        )
    return _filled(model, file, vae22_native_to_diffusers, dtype, device)


def _filled(
    model: AutoencoderKLWan, file: KnownFile, rename: Naming, dtype: torch.dtype, device: torch.device | str
) -> Vae:
    fill(model, file, rename, precision=Precision(dtype), device=torch.device(device))
    speed_up_small_clips(model)
    return Vae(model)
