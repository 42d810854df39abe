"""Whole runs of picture edits against diffusers' ChronoEditPipeline: tiny weights, the same noise, with guidance, UniPC."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ChronoEditPipeline, ChronoEditTransformer3DModel, UniPCMultistepScheduler
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from reelpatch.clips.frames import as_clip
from reelpatch.edits.reasoning.condition import build_condition
from reelpatch.edits.reasoning.decode import decode_film
from reelpatch.edits.reasoning.drop import Drop
from reelpatch.families.wan.family import WAN
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.hosts.spaced_rotary import space_positions
from reelpatch.headless.hosts.wan_host import SeenPicture
from reelpatch.headless.models.lora import apply_lora
from reelpatch.headless.models.picture_encoder import load_picture_encoder
from reelpatch.headless.models.wan_vae import Vae
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.solvers import sample_flow_unipc
from tests.golden import tiny_pictures, tiny_wan
from tests.golden.deterministic import make_input

try:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
except ImportError:  # in transformers 5.0 the one by Pillow has no name of its own
    from transformers import CLIPImageProcessor as CLIPImageProcessorPil

TOLERANCE = 1e-4  # of latents, whose steps are summed in another order
BYTE = 1 / 255
STEPS, GUIDANCE, HEIGHT, WIDTH = 5, 2.5, 32, 48
POSITIVE, NEGATIVE = make_input((1, 512, 24), 0.17, 1.0), make_input((1, 512, 24), 0.07, 2.0)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def pipeline() -> ChronoEditPipeline:
    options = tiny_wan.SIZES | tiny_pictures.OPTIONS
    transformer = tiny_wan.fill(ChronoEditTransformer3DModel(**options, rope_temporal_skip_len=8))
    made = ChronoEditPipeline(
        tokenizer=None,
        text_encoder=None,
        image_encoder=tiny_pictures.picture_encoder(),
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": tiny_pictures.CLIP_SIDE},
            crop_size={"height": tiny_pictures.CLIP_SIDE, "width": tiny_pictures.CLIP_SIDE},
        ),
        transformer=transformer,
        vae=tiny_pictures.vae(),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0, num_train_timesteps=1000
        ),
    )
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def embedding(pipeline: ChronoEditPipeline, tmp_path_factory: pytest.TempPathFactory) -> Tensor:
    """Ours, by a file in the naming that people have."""
    path = tmp_path_factory.mktemp("clip") / "clip_vision_h.safetensors"
    state = {
        f"vision_model.{name.removeprefix('vision_model.')}": tensor
        for name, tensor in pipeline.image_encoder.state_dict().items()
    }
    save_file(state, path)
    return load_picture_encoder(path).embed(torch.from_numpy(picture()) / 255)


def picture() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def theirs(
    pipeline: ChronoEditPipeline, noise: Tensor, frames: int, dropped_at: int
) -> tuple[Tensor, Tensor]:
    """The latents at the end of the run, and the film."""
    last: list[Tensor] = []

    def keep(
        _pipeline: object, _step: int, _timestep: object, tensors: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        last[:] = [tensors["latents"]]
        return tensors

    film = pipeline(
        image=Image.fromarray(picture()),
        height=HEIGHT,
        width=WIDTH,
        num_frames=frames,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        latents=noise,
        prompt_embeds=POSITIVE,
        negative_prompt_embeds=NEGATIVE,
        enable_temporal_reasoning=frames > 5,
        num_temporal_reasoning_steps=dropped_at,
        callback_on_step_end=keep,
    ).frames[0]
    return last[0], torch.from_numpy(film)


@pytest.mark.parametrize(
    ("frames", "dropped_at"),
    [(5, STEPS), (29, 0), (29, 3), (29, STEPS)],
    ids=["plain", "dropped at once", "dropped at 3", "kept"],
)
def test_latents_and_pictures_are_those_of_the_pipeline(
    pipeline: ChronoEditPipeline, embedding: Tensor, frames: int, dropped_at: int
) -> None:
    noise = draw(3, 1, 16, (frames - 1) // 4 + 1, HEIGHT // 8, WIDTH // 8)
    expected, shown = theirs(pipeline, noise, frames, dropped_at)
    vae, ours = Vae(pipeline.vae), tiny_pictures.backbone()
    space_positions(ours)
    condition = build_condition(torch.from_numpy(picture()) / 255, frames, vae.encode, WAN.lattice)
    sigmas = pipeline.scheduler.sigmas
    denoiser = Denoiser(
        ours,
        POSITIVE,
        sigmas,
        negative=NEGATIVE,
        guidance=Guidance(GUIDANCE),
        picture=SeenPicture(condition, embedding),
    )
    found = sample_flow_unipc(denoiser, noise, sigmas, between=Drop(dropped_at))
    assert tiny_wan.largest_difference(found, expected) <= TOLERANCE
    film = as_clip(decode_film(found[0], vae.decode))
    assert tiny_wan.largest_difference(film, shown) <= BYTE
    assert len(film) == (29 if dropped_at == STEPS and frames == 29 else 5)


def test_the_embedding_is_the_pipelines(pipeline: ChronoEditPipeline, embedding: Tensor) -> None:
    expected = pipeline.encode_image(Image.fromarray(picture()))
    assert tiny_wan.largest_difference(embedding, expected) <= 1e-5


def test_two_loras_at_once_are_the_pipelines_fused_ones(pipeline: ChronoEditPipeline, tmp_path: Path) -> None:
    """In diffusers' names, as the upscaler's and the paint brush's are, on layers of the picture's branch too."""
    latents, text, image = draw(7, 1, 36, 2, 4, 6), POSITIVE, draw(8, 1, 5, tiny_pictures.CLIP_WIDTH)
    inputs = (latents, torch.tensor([500.0]), text, image)
    ours = tiny_pictures.backbone()
    space_positions(ours)
    with torch.no_grad():
        before = ours(*inputs, return_dict=False)[0]
    for number, layers in enumerate((LAYERS, LAYERS[:4])):
        state = lora_of(pipeline, layers, seed=number)
        path = tmp_path / f"lora{number}.safetensors"
        save_file(state, path)
        applied = apply_lora(ours, path)
        assert not applied.report.unmatched
        assert applied.report.num_layers == 2 * len(layers)
        pipeline.load_lora_weights(dict(state), adapter_name=f"lora{number}")
    pipeline.set_adapters(["lora0", "lora1"], [1.0, 1.0])
    pipeline.fuse_lora(adapter_names=["lora0", "lora1"], lora_scale=1.0)
    try:
        with torch.no_grad():
            expected = pipeline.transformer(*inputs, return_dict=False)[0]
            found = ours(*inputs, return_dict=False)[0]
    finally:
        pipeline.unfuse_lora()
        pipeline.unload_lora_weights()
    assert tiny_wan.largest_difference(found, expected) <= TOLERANCE
    assert tiny_wan.largest_difference(found, before) > 100 * TOLERANCE


LAYERS = (
    "attn1.to_q",
    "attn1.to_out.0",
    "attn2.to_k",
    "ffn.net.0.proj",
    "attn2.add_k_proj",
    "attn2.add_v_proj",
)


def lora_of(pipeline: ChronoEditPipeline, layers: tuple[str, ...], *, seed: int) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for block, blocks in enumerate(pipeline.transformer.blocks):
        for layer in layers:
            weight = blocks.get_submodule(layer).weight
            key = f"transformer.blocks.{block}.{layer}"
            state[f"{key}.lora_A.weight"] = draw(100 * seed + len(state), 4, weight.shape[1]) / 10
            state[f"{key}.lora_B.weight"] = draw(100 * seed + len(state), weight.shape[0], 4) / 10
    return state
