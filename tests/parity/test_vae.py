"""The VAE as we load it equals the official code, to the printed digits and float32's rounding (golden/vae.json)."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.families.wan.names import vae_diffusers_to_native, vae_native_to_diffusers
from reelpatch.headless.models.fill import Precision, fill
from reelpatch.headless.models.wan_vae import Vae
from reelpatch.weights.header import identify
from tests.golden.deterministic import make_input, make_weights, vae_rule
from tests.golden.rounding import assert_printed, depth_of

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "vae.json").read_text())


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Vae:
    """The tiny VAE of the goldens, through a file under native names."""
    with torch.device("meta"):
        model = AutoencoderKLWan(
            base_dim=8, z_dim=4, latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.0, 2.0, 0.5, 1.5]
        )
    shapes = {vae_diffusers_to_native(key): tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    path = tmp_path_factory.mktemp("vae") / "vae.safetensors"
    save_file(make_weights(shapes, vae_rule), path)
    fill(
        model,
        identify(path),
        vae_native_to_diffusers,
        precision=Precision(torch.float32),
        device=torch.device("cpu"),
    )
    return Vae(model)


@pytest.mark.parametrize("num_frames", [1, 9])
def test_encode_and_decode(vae: Vae, num_frames: int) -> None:
    latents = vae.encode(make_input((3, num_frames, 16, 24)))
    encoder_depth = depth_of(vae.model.encoder)
    assert_printed(latents[None], GOLDEN[f"vae21_enc_T{num_frames}"], encoder_depth)
    # The goldens are what the decoder says before the clamp.
    chunks: list[Tensor] = []
    with vae.model.decoder.register_forward_hook(lambda _, __, chunk: chunks.append(chunk)):
        video = vae.decode(latents)
    unclamped = torch.cat(chunks, dim=2)[0]
    # What the encoder rounded goes into the decoder.
    depth = encoder_depth + depth_of(vae.model.decoder)
    assert_printed(unclamped[None], GOLDEN[f"vae21_dec_T{num_frames}"], depth)
    assert torch.equal(video, unclamped.clamp(-1, 1))


def test_a_tenth_frame_would_be_dropped_so_it_is_refused(vae: Vae) -> None:
    # The golden is of ten frames, of which the official code drops the last.
    video = make_input((3, 10, 16, 24))
    assert_printed(vae.encode(video[:, :9])[None], GOLDEN["vae21_enc_T10"], depth_of(vae.model.encoder))
    with pytest.raises(ValueError, match=r"4n \+ 1"):
        vae.encode(video)
