"""What is trained is what runs: the training forms of VAE and transformer equal the hosts' on exported files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor, nn

from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.work import VaceWork
from reelpatch.families.kinds import Kind
from reelpatch.headless.hosts.spaced_rotary import space_positions
from reelpatch.headless.hosts.wan_host import Moment, SeenPicture, predict_velocity
from reelpatch.headless.models.text_encoder import load_text_encoder
from reelpatch.headless.models.wan_transformer import load_backbone, load_module
from reelpatch.headless.models.wan_vae import load_vae
from tests.golden.rounding import assert_rounds_alike, depth_of
from training import export, restore, whole_clip
from training.latents import Statistics
from training.model import DemoFamily
from training.picture_model import FILE, PictureFamily
from training.words import encode

SENTENCE = "make the red circle blue"


def _randomise(module: nn.Module) -> None:
    """Weights that survive bf16 unchanged, with nothing left at zero."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator) * 0.05
            parameter.copy_((parameter + noise).bfloat16().float())


@pytest.fixture(scope="module")
def small_vae() -> AutoencoderKLWan:
    torch.manual_seed(0)
    return AutoencoderKLWan(base_dim=8, z_dim=16)


@pytest.mark.parametrize("frames", [1, 5, 9])
def test_a_whole_clip_through_the_vae_equals_its_streaming(small_vae: AutoencoderKLWan, frames: int) -> None:
    video = torch.rand(2, 3, frames, 16, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        latents = whole_clip.encode(small_vae, video)
        assert_rounds_alike(latents, small_vae.encode(video).latent_dist.mode(), depth_of(small_vae.encoder))
        streamed = small_vae.decode(latents).sample
        decoded = whole_clip.decode(small_vae, latents).clamp(-1, 1)
        # Before the clamp, to which the bound belongs, an untrained decoder's numbers are a few times as large.
        assert_rounds_alike(decoded, streamed, 4 * depth_of(small_vae.decoder))


def test_the_exported_vae_normalises_as_in_training(small_vae: AutoencoderKLWan, tmp_path: Path) -> None:
    _randomise(small_vae)
    spread = torch.linspace(0.5, 2, 16).view(-1, 1, 1, 1)
    statistics = Statistics(mean=spread.flip(0) - 1, std=spread)
    export.export_vae(small_vae, statistics, tmp_path / "vae.safetensors")
    video = torch.rand(3, 5, 16, 24, generator=torch.Generator().manual_seed(2)) * 2 - 1
    vae = load_vae(tmp_path / "vae.safetensors", dtype=torch.float32)
    with torch.no_grad():
        trained = statistics.normalise(whole_clip.encode(small_vae, video[None])[0])
        again = whole_clip.decode(small_vae, whole_clip.encode(small_vae, video[None]))[0].clamp(-1, 1)
    # The two folded convolutions are rounded to bf16, the rest is exact.
    torch.testing.assert_close(vae.encode(video), trained, atol=0.02, rtol=0)
    torch.testing.assert_close(vae.decode(vae.encode(video)), again, atol=0.02, rtol=0)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_the_exported_family_predicts_what_the_trained_one_does(tmp_path: Path, strength: float) -> None:
    torch.manual_seed(0)
    family = DemoFamily()
    _randomise(family)
    export.export_family(family, tmp_path)
    latents, context = torch.randn(1, 16, 3, 8, 8), torch.randn(1, 96, 3, 8, 8)
    with torch.no_grad():
        text = family.embed_text(encode([SENTENCE]))
        trained = family(latents, torch.tensor([0.75]), text, context, torch.tensor([strength]))[0]
    hosted = _hosted(tmp_path, latents, context if strength else None)
    assert_rounds_alike(hosted, trained, depth_of(family))


def test_finished_files_are_where_training_goes_on(tmp_path: Path) -> None:
    torch.manual_seed(0)
    family, again = DemoFamily(), DemoFamily()
    _randomise(family)
    export.export_family(family, tmp_path)
    restore.restore_family(again, tmp_path)
    for (name, tensor), restored in zip(
        family.state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(tensor, restored), name


def _hosted(models: Path, latents: Tensor, context: Tensor | None) -> Tensor:
    folder = models / "diffusion_models"
    backbone = load_backbone(folder / "reelpatch_demo_t2v_bf16.safetensors", dtype=torch.float32)
    module = load_module(folder / "reelpatch_demo_edit_module.safetensors", VaceWork(), dtype=torch.float32)
    encoder = load_text_encoder(
        models / "text_encoders" / "reelpatch_demo_umt5.safetensors", dtype=torch.float32
    )
    edits = [] if context is None else [VaceEdit(module, [VaceContext(context[0])])]
    with torch.no_grad():
        return predict_velocity(
            backbone, latents, encoder.embed(SENTENCE), moment=Moment(0.75, 0, 4, (True,)), edits=edits
        )[0]


@pytest.mark.parametrize("latent_frames", [2, 8])
def test_the_exported_picture_weights_predict_what_the_trained_ones_do(
    tmp_path: Path, latent_frames: int
) -> None:
    """A pair stands at the ends of a film in time, and the mask of what is given goes in front of the picture's latents."""
    torch.manual_seed(0)
    family = PictureFamily()
    _randomise(family)
    export.export_picture_backbone(family, tmp_path)
    base = DemoFamily()
    base.text.load_state_dict(family.text.state_dict())
    export.export_family(base, tmp_path)
    latents, condition = torch.randn(2, 1, 16, latent_frames, 8, 8)
    with torch.no_grad():
        text = family.embed_text(encode([SENTENCE]))
        trained = family.velocity(latents, condition, torch.tensor([0.75]), text)[0]
    mask = torch.zeros(4, latent_frames, 8, 8)
    mask[:, 0] = 1
    file = tmp_path / "diffusion_models" / FILE
    backbone = load_backbone(file, dtype=torch.float32, kinds=(Kind.IMAGE_BACKBONE,))
    space_positions(backbone)
    encoder = load_text_encoder(
        tmp_path / "text_encoders" / "reelpatch_demo_umt5.safetensors", dtype=torch.float32
    )
    seen = SeenPicture(torch.cat([mask, condition[0]]))
    with torch.no_grad():
        hosted = predict_velocity(
            backbone, latents, encoder.embed(SENTENCE), moment=Moment(0.75, 0, 4, (True,)), picture=seen
        )[0]
    assert_rounds_alike(hosted, trained, depth_of(family))
