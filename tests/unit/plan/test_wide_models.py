"""Wan2.2 TI2V-5B in plans: its VAE's counts, and the memory of a forward in which tokens have timesteps of their own."""

from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from reelpatch.edits.adapter.edit import AdapterEdit, SeenByAdapter
from reelpatch.edits.adapter.module import AdapterModule
from reelpatch.edits.contract import Moment
from reelpatch.families.wan.vae_counts import CUBE, SQUARE, WAN22_VAE, WideVaeSizes
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.plan.job import Job
from reelpatch.plan.memory import decode_activations, encode_activations, step_activations
from reelpatch.plan.models import models_of
from reelpatch.recipes import recipe
from tests.golden.tiny_adapter import VAE
from tests.unit.plan.live_bytes import LiveBytes

EASYV2V = recipe("easyv2v")
MODELS = models_of(EASYV2V, {})


def test_flops_and_parameters_are_those_of_diffusers_vae() -> None:
    sizes = WideVaeSizes(base_dim=8, decoder_dim=16)
    with torch.device("meta"):
        vae = AutoencoderKLWan(**VAE | {"decoder_base_dim": 16})
    assert sum(p.numel() for p in vae.parameters()) == sizes.parameters
    video = torch.zeros(1, 3, 9, 32, 48, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as encode:
        latents = vae.encode(video).latent_dist.mode()
    with torch.no_grad(), FlopCounterMode(display=False) as decode:
        vae.decode(latents)
    # diffusers multiplies the zeros before the first frame too: two thirds of each cube there.
    zeros = [
        sum(layer.flops(32 * 48, 0) for layer in layers if layer.taps == CUBE) * (CUBE // SQUARE - 1)
        for layers in (sizes.encoder(), sizes.decoder())
    ]
    assert encode.get_total_flops() == sizes.encode_flops(9, (32, 48)) + zeros[0]
    assert decode.get_total_flops() == sizes.decode_flops(9, (32, 48)) + zeros[1]
    assert WAN22_VAE.parameters == 704_688_668


def test_the_vae_holds_what_the_plan_says() -> None:
    job = Job(EASYV2V, 9, (64, 96))
    with FakeTensorMode():
        vae = AutoencoderKLWan(**VAE | {"base_dim": 160, "decoder_base_dim": 256})
        video, latents = torch.zeros(1, 3, 9, 64, 96), torch.zeros(1, 48, 3, 4, 6)
        with torch.no_grad(), LiveBytes() as encode:
            vae.encode(video, return_dict=False)
        with torch.no_grad(), LiveBytes() as decode:
            vae.decode(latents, return_dict=False)
    # The plan also counts the clip that the caller holds.
    clip = video.numel() * 4
    assert encode_activations(job, MODELS) == pytest.approx(encode.peak + clip, rel=0.04)
    assert decode_activations(job, MODELS) == pytest.approx(decode.peak, rel=0.04)


def test_a_step_holds_what_the_plan_says() -> None:
    """Two blocks stand for all: each frees what it made."""
    job, models = Job(EASYV2V, 81, (480, 832)), replace(MODELS, has_loras=False)
    shape = (21, 30, 52)
    seen = SeenByAdapter(torch.zeros(48, *shape), torch.zeros(48, *shape))  # which looks at the numbers
    with FakeTensorMode() as mode:
        torch.set_default_dtype(torch.bfloat16)
        try:
            backbone = WanTransformer3DModel(
                num_attention_heads=24, attention_head_dim=128, ffn_dim=14336, num_layers=2, in_channels=48, out_channels=48
            )  # fmt: skip
            module = AdapterModule(48, 3072)
        finally:
            torch.set_default_dtype(torch.float32)
        for name, parameter in backbone.named_parameters():
            if any(part in name for part in ("time_embedder", "scale_shift_table", "norm2")):
                parameter.data = parameter.data.float()
        for name in ("source", "mask"):
            object.__setattr__(seen, name, mode.from_tensor(getattr(seen, name)))
        latents, text = torch.zeros(1, 48, *shape), torch.zeros(1, 512, 4096, dtype=torch.bfloat16)
        with torch.no_grad(), LiveBytes() as live:
            predict_velocity(
                *(backbone, latents, text),
                moment=Moment(1.0, 0, 4, (True,)),
                edits=[AdapterEdit(module, seen)],
            )
    # Tokens of segments are freed once they stand in the stream, which the plan does not count on: 1.4 % here.
    assert step_activations(job, models) == pytest.approx(live.peak, rel=0.02)
