"""The fast way for small clips is the same convolution, and the same VAE."""

import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanRMS_norm

from reelpatch.headless.models.small_clip_kernels import frames_as_pictures, normalised, speed_up_small_clips
from tests.golden.rounding import assert_rounds_alike, depth_of


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 1, 1), (3, 1, 1)])
@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 1, 1)])
@pytest.mark.parametrize("batch", [1, 2])
def test_it_is_the_same_convolution(kernel: tuple[int, ...], stride: tuple[int, ...], batch: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 5, 6, 10, 12, generator=generator)
    weight, bias = torch.randn(7, 5, *kernel, generator=generator), torch.randn(7, generator=generator)
    expected = F.conv3d(x, weight, bias, stride=stride)
    # Sums of up to 135 products in another order.
    assert_rounds_alike(frames_as_pictures(x, weight, bias, stride), expected, 16)


def test_it_is_the_same_norm_of_channels() -> None:
    x = torch.randn(2, 24, 3, 10, 12, generator=torch.Generator().manual_seed(0))
    x[0, :, 1, 4, 5] = 0  # a place of which no norm can be taken
    layer = WanRMS_norm(24, images=False, bias=True)
    with torch.no_grad():
        layer.gamma.uniform_(0.5, 2, generator=torch.Generator().manual_seed(1))
        layer.bias.uniform_(generator=torch.Generator().manual_seed(2))
        # A sum of 24 squares, a root, and four products or sums.
        assert_rounds_alike(normalised(x, layer.scale, layer.gamma, layer.bias), layer(x), 8)


def test_a_vae_encodes_and_decodes_as_before() -> None:
    torch.manual_seed(0)
    vae = AutoencoderKLWan(base_dim=8, z_dim=16)
    video = torch.rand(1, 3, 9, 32, 48) * 2 - 1
    with torch.no_grad():
        latents = vae.encode(video).latent_dist.mode()
        decoded = vae.decode(latents).sample
        speed_up_small_clips(vae)
        assert_rounds_alike(vae.encode(video).latent_dist.mode(), latents, depth_of(vae.encoder))
        # Clamped: an untrained decoder's own numbers are a few times as large.
        assert_rounds_alike(vae.decode(latents).sample, decoded, 4 * depth_of(vae.decoder))
        # So the comparison was one.
        assert "_conv_forward" in vars(vae.encoder.conv_in)
        assert "forward" in vars(vae.encoder.norm_out)
