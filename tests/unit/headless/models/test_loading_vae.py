"""A Wan2.1-type VAE of any width comes out of its file whole, with the published latent statistics."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from reelpatch.errors import BadInput
from reelpatch.families.wan.names import vae_diffusers_to_native
from reelpatch.headless.models.wan_vae import load_vae
from tests.golden.rounding import assert_rounds_alike, depth_of

State = dict[str, Tensor]
SaveState = Callable[..., Path]


@pytest.fixture(scope="module")
def model() -> AutoencoderKLWan:
    torch.manual_seed(0)
    return AutoencoderKLWan(base_dim=8).eval()


@pytest.fixture(scope="module")
def state(model: AutoencoderKLWan) -> State:
    return {vae_diffusers_to_native(key): tensor for key, tensor in model.state_dict().items()}


@pytest.mark.parametrize("prefix", ["", "model."])
def test_latents_are_the_mean_in_published_units(
    model: AutoencoderKLWan, state: State, save: SaveState, prefix: str
) -> None:
    vae = load_vae(save({prefix + key: tensor for key, tensor in state.items()}))
    video = torch.rand(3, 5, 16, 24) * 2 - 1
    latents = vae.encode(video)
    assert latents.shape == (16, 2, 2, 3)
    with torch.no_grad():
        mean = model.encode(video[None]).latent_dist.mean[0]
    # Two of the sixteen published pairs, by hand.
    depth = depth_of(model)
    assert_rounds_alike(latents[0], (mean[0] + 0.7571) / 2.8184, depth)
    assert_rounds_alike(latents[15], (mean[15] + 0.2921) / 1.9160, depth)
    assert torch.equal(vae.encode(video), latents)  # not sampled

    with torch.no_grad():
        expected = model.decode(mean[None]).sample[0].clamp(-1, 1)
    decoded = vae.decode(latents)
    assert decoded.shape == video.shape
    assert_rounds_alike(decoded, expected, depth)
    assert vae.decode(latents * 1000).abs().max() <= 1


def test_bf16_takes_and_gives_fp32(state: State, save: SaveState) -> None:
    vae = load_vae(save(state), dtype=torch.bfloat16)
    latents = vae.encode(torch.zeros(3, 1, 16, 16))
    assert latents.dtype is torch.float32
    assert vae.decode(latents).dtype is torch.float32


@pytest.mark.parametrize("shape", [(3, 4, 16, 16), (3, 5, 12, 16), (3, 5, 16, 20)])
def test_nothing_is_dropped_in_silence(state: State, save: SaveState, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        load_vae(save(state)).encode(torch.zeros(shape))


def test_a_pruned_vae_is_refused(state: State, save: SaveState) -> None:
    pruned = state | {"decoder.conv1.bias": torch.zeros(16)}
    with pytest.raises(BadInput, match=r"decoder\.conv1\.bias of shape \(16,\) .*\(32,\)"):
        load_vae(save(pruned))
