"""Whole runs of 4 steps: our edit, denoiser and solver against diffusers' own, with the same noise and sigmas."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanVACEPipeline,
)
from PIL import Image
from torch import Tensor, nn

from reelpatch.edits.vace.context import build_context
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.models.wan_vae import Vae
from reelpatch.recipes import recipe
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.sampling.solvers import sample_flow_unipc
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input

TOLERANCE = 1e-4
FRAMES, HEIGHT, WIDTH = 9, 32, 48
LAYERS = (0, 2, 4)
BACKBONE, MERGED, MODULE = tiny_wan.vace(LAYERS, 96, in_channels=16, out_channels=16, num_layers=6)
POSITIVE, NEGATIVE = make_input((1, 512, 24), 0.17, 1.0), make_input((1, 512, 24), 0.07, 2.0)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def pipeline() -> WanVACEPipeline:
    torch.manual_seed(0)
    return WanVACEPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=AutoencoderKLWan(base_dim=8, dim_mult=[1, 1, 1, 1], num_res_blocks=1, z_dim=16).eval(),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=2.0, num_train_timesteps=1000
        ),
        transformer=MERGED,
    )


@pytest.mark.parametrize(("references", "guidance"), [(0, 1.0), (2, 1.2)])
def test_the_whole_pipeline(pipeline: WanVACEPipeline, references: int, guidance: float) -> None:
    clip = torch.rand(FRAMES, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(1))
    mask = (draw(2, FRAMES, HEIGHT, WIDTH) > 0).float()
    stills = [
        torch.rand(40, 24, 3, generator=torch.Generator().manual_seed(3 + i)) for i in range(references)
    ]
    pixels = [(image * 255).round() for image in (clip, mask[..., None].expand(-1, -1, -1, 3), *stills)]
    clip, stills = pixels[0] / 255, [image / 255 for image in pixels[2:]]
    noise = draw(9, 1, 16, references + 3, HEIGHT // 8, WIDTH // 8)
    pictures = [Image.fromarray(image.numpy().astype(np.uint8)) for image in pixels[2:]]

    expected = pipeline(
        video=[Image.fromarray(frame.numpy().astype(np.uint8)) for frame in pixels[0]],
        mask=[Image.fromarray(frame.numpy().astype(np.uint8)) for frame in pixels[1]],
        reference_images=pictures[::-1] or None,  # diffusers puts each one in front of those before it
        conditioning_scale=0.975,
        height=HEIGHT,
        width=WIDTH,
        num_frames=FRAMES,
        num_inference_steps=4,
        guidance_scale=guidance,
        latents=noise,
        prompt_embeds=POSITIVE,
        negative_prompt_embeds=NEGATIVE,
        output_type="latent",
    ).frames
    context = build_context(
        clip, mask, stills, Vae(pipeline.vae).encode, frames=FRAMES, height=HEIGHT, width=WIDTH
    )
    sigmas = pipeline.scheduler.sigmas
    denoiser = Denoiser(
        BACKBONE,
        POSITIVE,
        sigmas,
        negative=NEGATIVE,
        edits=[VaceEdit(MODULE, [VaceContext(context, 0.975)])],
        guidance=Guidance(guidance),
    )
    assert tiny_wan.largest_difference(sample_flow_unipc(denoiser, noise, sigmas), expected) <= TOLERANCE


class Passes:
    """A log of what the network is run with, written by hooks."""

    def __init__(self, model: nn.Module, skippable: nn.Module) -> None:
        self.timesteps: list[float] = []
        self.texts: list[Tensor] = []
        self.was_block_run: list[bool] = []
        self.handles = [
            model.register_forward_pre_hook(self.on_start, with_kwargs=True),
            skippable.attn1.register_forward_hook(self.on_block),
        ]

    def on_start(self, _model: nn.Module, _args: object, kwargs: dict[str, Tensor]) -> None:
        self.timesteps.append(kwargs["timestep"].item())
        self.texts.append(kwargs["encoder_hidden_states"])
        self.was_block_run.append(False)

    def on_block(self, *_: object) -> None:
        self.was_block_run[-1] = True


@pytest.fixture
def passes() -> Iterator[Passes]:
    log = Passes(BACKBONE, BACKBONE.blocks[2])
    yield log
    for handle in log.handles:
        handle.remove()


def test_the_ditto_workflow(passes: Passes) -> None:
    ditto = recipe("ditto-global")
    assert (ditto.strength, ditto.guidance.scale, ditto.steps, ditto.shift) == (0.975, 1.2, 4, 2.0)
    sigmas = make_sigmas(ditto.schedule, ditto.steps, shift=ditto.shift)
    noise, context = draw(9, 1, 16, 3, 4, 6), draw(10, 96, 3, 4, 6)
    denoiser = Denoiser(
        BACKBONE,
        POSITIVE,
        sigmas,
        negative=NEGATIVE,
        edits=[VaceEdit(MODULE, [VaceContext(context, ditto.strength, ditto.window)])],
        guidance=ditto.guidance,
        skip_layers=ditto.skip_layers,
    )
    found = sample_flow_unipc(denoiser, noise, sigmas)

    assert passes.timesteps == [999, 999, 856, 856, 666, 666, 399, 399]
    assert [torch.equal(text, POSITIVE) for text in passes.texts] == [True, False] * 4
    assert passes.was_block_run == [True, True, True, False, True, False, True, True]
    expected = sample_flow_unipc(DittoByDiffusers(context, sigmas), noise, sigmas)
    assert tiny_wan.largest_difference(found, expected) <= TOLERANCE


class DittoByDiffusers:
    """The same run spelled out on diffusers' merged model, where the skipped block is an empty one."""

    def __init__(self, context: Tensor, sigmas: Tensor) -> None:
        self.context = context[None]
        self.steps = iter(range(len(sigmas) - 1))

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        step = next(self.steps)
        conditional = self.velocity(x, sigma, POSITIVE)
        full = MERGED.blocks[2]
        if step in (1, 2):
            MERGED.blocks[2] = PassOn()
        unconditional = self.velocity(x, sigma, NEGATIVE)
        MERGED.blocks[2] = full
        return x - sigma * (unconditional + 1.2 * (conditional - unconditional))

    def velocity(self, x: Tensor, sigma: Tensor, text: Tensor) -> Tensor:
        scale = torch.full((len(LAYERS),), 0.975)
        timestep = (1000 * sigma).round()
        return MERGED(x, timestep, text, None, self.context, scale, return_dict=False)[0]


class PassOn(nn.Module):
    def forward(self, tokens: Tensor, *_: object) -> Tensor:
        return tokens
