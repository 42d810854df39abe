"""The VAEs as we load them equal the official code, to the printed digits and float32's rounding (golden/vae.json)."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.families.naming import Naming
from reelpatch.families.wan.names import (
    vae22_diffusers_to_native,
    vae22_native_to_diffusers,
    vae_diffusers_to_native,
    vae_native_to_diffusers,
)
from reelpatch.headless.models.fill import Precision, fill
from reelpatch.headless.models.wan_vae import Vae
from reelpatch.weights.header import identify
from tests.golden.deterministic import make_input, make_weights, vae_rule
from tests.golden.rounding import assert_printed, depth_of, rounding

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "vae.json").read_text())


STATISTICS = {"latents_mean": [0.1, -0.2, 0.3, 0.0], "latents_std": [1.0, 2.0, 0.5, 1.5]}
WIDE = {
    **{"decoder_base_dim": 16, "is_residual": True, "in_channels": 12, "out_channels": 12},
    **{"patch_size": 2, "scale_factor_spatial": 16},
}


def tiny(path: Path, names: tuple[Naming, Naming], **options: Any) -> Vae:
    """A VAE with the weights of the goldens, through a file under native names."""
    to_native, from_native = names
    with torch.device("meta"):
        model = AutoencoderKLWan(base_dim=8, z_dim=4, **STATISTICS, **options)
    shapes = {to_native(key): tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    save_file(make_weights(shapes, vae_rule), path)
    fill(
        model,
        identify(path),
        from_native,
        precision=Precision(torch.float32),
        device=torch.device("cpu"),
    )
    return Vae(model)


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Vae:
    path = tmp_path_factory.mktemp("vae") / "vae.safetensors"
    return tiny(path, (vae_diffusers_to_native, vae_native_to_diffusers))


@pytest.fixture(scope="module")
def wide_vae(tmp_path_factory: pytest.TempPathFactory) -> Vae:
    path = tmp_path_factory.mktemp("vae22") / "vae.safetensors"
    return tiny(path, (vae22_diffusers_to_native, vae22_native_to_diffusers), **WIDE)


def check_golden(vae: Vae, kind: str, num_frames: int, size: tuple[int, int]) -> None:
    latents = vae.encode(make_input((3, num_frames, *size)))
    encoder_depth = depth_of(vae.model.encoder)
    assert_printed(latents[None], GOLDEN[f"{kind}_enc_T{num_frames}"], encoder_depth)
    # The goldens are what the decoder says before the clamp.
    chunks: list[Tensor] = []
    with vae.model.decoder.register_forward_hook(lambda _, __, chunk: chunks.append(chunk)):
        video = vae.decode(latents)
    unclamped = torch.cat(chunks, dim=2)
    if patch := vae.model.config["patch_size"]:
        unclamped = unpatchify(unclamped, patch_size=patch)
    # What the encoder rounded goes into the decoder.
    depth = encoder_depth + depth_of(vae.model.decoder)
    assert_printed(unclamped, GOLDEN[f"{kind}_dec_T{num_frames}"], depth)
    assert torch.equal(video, unclamped[0].clamp(-1, 1))


@pytest.mark.parametrize("num_frames", [1, 9])
def test_encode_and_decode(vae: Vae, num_frames: int) -> None:
    check_golden(vae, "vae21", num_frames, (16, 24))


@pytest.mark.parametrize("num_frames", [1, 9])
def test_encode_and_decode_of_the_vae_of_wan22(wide_vae: Vae, num_frames: int) -> None:
    check_golden(wide_vae, "vae22", num_frames, (32, 48))


def test_what_the_vae_of_wan22_would_drop_is_refused(wide_vae: Vae) -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        wide_vae.encode(make_input((3, 9, 24, 48)))


def test_the_vae_of_wan22_works_in_tiles(wide_vae: Vae) -> None:
    clip = make_input((3, 5, 288, 288))
    whole = wide_vae.encode(clip)
    wide_vae.work_in_tiles(True)
    try:
        latents, video = wide_vae.encode(clip), wide_vae.decode(whole)
    finally:
        wide_vae.work_in_tiles(False)
    assert latents.shape == whole.shape == (4, 2, 18, 18)
    assert video.shape == clip.shape
    # Tiles are 176 pixels long and begin at 0 and 112; what no other tile reaches is what a tile by itself makes.
    alone = wide_vae.encode(clip[..., :176, :176])[..., :7, :7]
    allowed = rounding(float(whole.abs().max()), depth_of(wide_vae.model.encoder))
    assert float((latents[..., :7, :7] - alone).abs().max()) <= allowed


def test_a_tenth_frame_would_be_dropped_so_it_is_refused(vae: Vae) -> None:
    # The golden is of ten frames, of which the official code drops the last.
    video = make_input((3, 10, 16, 24))
    assert_printed(vae.encode(video[:, :9])[None], GOLDEN["vae21_enc_T10"], depth_of(vae.model.encoder))
    with pytest.raises(ValueError, match=r"4n \+ 1"):
        vae.encode(video)
