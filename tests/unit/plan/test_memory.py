"""What the plan says of memory is what the headless code holds when it runs on fake tensors of full size."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from diffusers import AutoencoderKLWan
from torch._subclasses.fake_tensor import FakeTensorMode

from reelpatch.edits.contract import Moment
from reelpatch.edits.vace.counts import VACE_1_3B
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.families.wan.family import WAN
from reelpatch.families.wan.transformer_counts import T2V_1_3B
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.headless.hosts.wan_pieces import work_in_pieces
from reelpatch.headless.models.wan_vae import Vae
from reelpatch.plan.job import Job
from reelpatch.plan.machine import Machine, is_fitting, memory_on
from reelpatch.plan.memory import (
    GIB,
    decode_activations,
    encode_activations,
    plan_memory,
    step_activations,
)
from reelpatch.plan.models import Models, models_of
from reelpatch.plan.step_memory import PIECES, step_in_pieces
from reelpatch.recipes import recipe
from tests.unit.plan.fake_models import fake_transformer
from tests.unit.plan.live_bytes import LiveBytes

DITTO = recipe("ditto-global")
MODELS = models_of(DITTO, {})
JOB = Job(DITTO, 73, (480, 832))
DTYPES = {2: torch.bfloat16, 4: torch.float32}
NAMES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
WIDE = replace(MODELS, has_loras=False, backbone_bytes=2)
NARROW = replace(WIDE, backbone=T2V_1_3B, module=VACE_1_3B)


@cache
def live_step(job: Job, models: Models, piece: int | None = None) -> int:
    """Two blocks stand for all: each frees what it made."""
    backbone, module = fake_transformer(models)
    shape = WAN.lattice.latent_shape(job.frames, job.size)[1:]
    work_in_pieces(backbone, piece)
    with backbone.fake_mode:
        contexts = [VaceContext(torch.zeros(96, *shape)) for _ in range(job.contexts)]
        text = torch.zeros(1, 512, 4096, dtype=DTYPES[models.compute_bytes])
        with torch.no_grad(), LiveBytes() as live:
            predict_velocity(
                *(backbone, torch.zeros(1, 16, *shape), text),
                moment=Moment(1.0, 0, 4, (True,)),
                edits=[VaceEdit(module, contexts)],
            )
    return live.peak


IN_FP32 = replace(WIDE, compute_bytes=4, backbone_bytes=4, module_bytes=4)


@pytest.mark.parametrize(
    ("job", "models"),
    [
        (JOB, WIDE),
        (replace(JOB, contexts=3), WIDE),
        (replace(JOB, frames=17), NARROW),
        (JOB, IN_FP32),
        (JOB, MODELS),
    ],
    ids=["14B", "three edits", "1.3B", "fp32", "fp8 with LoRA"],
)
def test_a_step_holds_what_the_plan_says(job: Job, models: Models) -> None:
    assert step_activations(job, models) == pytest.approx(live_step(job, models), rel=0.01)


@pytest.mark.parametrize(
    ("job", "models", "piece"),
    [
        (JOB, MODELS, 2048),
        (JOB, WIDE, 8192),
        (JOB, replace(MODELS, module_bytes=1), 8192),
        (replace(JOB, contexts=3), MODELS, 4096),
        (replace(JOB, frames=17), MODELS, 2048),
        (replace(JOB, frames=17), MODELS, 8192),
        (replace(JOB, frames=17), NARROW, 2048),
        (replace(JOB, size=(720, 1280)), MODELS, 8192),
        (JOB, IN_FP32, 8192),
    ],
    ids=[
        *("Ditto", "bf16", "module in fp8", "three edits", "17 frames", "17 frames at once"),
        *("1.3B", "1280x720", "fp32"),
    ],
)
def test_a_step_in_pieces_holds_what_the_plan_says(job: Job, models: Models, piece: int) -> None:
    assert step_in_pieces(job, models, piece) == pytest.approx(live_step(job, models, piece), rel=0.03)


def test_the_published_job_holds_2_gib_of_activations_at_most() -> None:
    """It was 3.89 GiB with all tokens at once."""
    assert live_step(JOB, MODELS, PIECES[-1]) <= 2.0 * GIB


def test_where_every_block_is_streamed_1_3_gib_of_weights_stay_at_most() -> None:
    """It was 2.9 GiB with two whole blocks and the VAE."""
    memory = plan_memory(JOB, MODELS, placement="streamed", vram=0)
    step = next(stage for stage in memory.stages if stage.stage == "step")
    assert memory.streamed_blocks == memory.num_blocks
    assert step.weights <= 1.3 * GIB


def fits(job: Job, gib: float) -> bool:
    return plan_memory(job, MODELS, placement="streamed", vram=int(gib * GIB)).peak.total <= gib * GIB


def test_what_fits_small_cards() -> None:
    assert fits(JOB, 6)
    assert fits(replace(JOB, frames=49), 4)
    assert fits(replace(JOB, size=(368, 640)), 4)
    assert fits(replace(JOB, size=(720, 1280)), 12)
    on_8 = plan_memory(JOB, MODELS, placement="streamed", vram=8 * GIB)
    assert on_8.num_blocks - on_8.streamed_blocks >= 8


def test_pieces_are_as_long_as_there_is_room_for() -> None:
    large = replace(JOB, size=(720, 1280))
    found = [
        plan_memory(job, MODELS, placement=placement, vram=gib * GIB).piece
        for job, placement, gib in (
            (JOB, "resident", 80),
            (JOB, "resident", 24),
            (JOB, "streamed", 12),
            (large, "streamed", 6),
            (JOB, "streamed", 1),
        )
    ]
    assert found == [None, 8192, 8192, 2048, 2048]


def test_embeddings_that_a_file_holds_in_fp8_stay_so() -> None:
    narrow = replace(MODELS, narrow_outside=200_000_000)
    assert MODELS.outside_bytes - narrow.outside_bytes == 200_000_000


@pytest.mark.parametrize("vae_dtype", ["fp32", "bf16", "fp16"])
def test_the_vae_holds_what_the_plan_says(vae_dtype: str) -> None:
    job, models = Job(DITTO, 9, (64, 96)), models_of(DITTO, {}, vae_dtype=vae_dtype)
    with FakeTensorMode():
        vae = fake_vae(vae_dtype)
        video, latents = torch.zeros(3, 9, 64, 96), torch.zeros(16, 3, 8, 12)
        with LiveBytes() as encode:
            vae.encode(video)
        with LiveBytes() as decode:
            vae.decode(latents)
    # The plan also counts the clip that the caller holds.
    clip = video.numel() * 4
    assert encode_activations(job, models) == pytest.approx(encode.peak + clip, rel=0.04)
    assert decode_activations(job, models) == pytest.approx(decode.peak, rel=0.04)


def fake_vae(dtype: str) -> Vae:
    """The published VAE on tensors that hold no numbers, computing in that dtype."""
    torch.set_default_dtype(getattr(torch, NAMES[dtype]))
    try:
        return Vae(AutoencoderKLWan())
    finally:
        torch.set_default_dtype(torch.float32)


def test_the_vae_holds_what_the_plan_says_in_tiles() -> None:
    job = Job(DITTO, 5, (320, 416))
    with FakeTensorMode():
        vae = fake_vae("fp32")
        vae.work_in_tiles(True)
        video, latents = torch.zeros(3, 5, 320, 416), torch.zeros(16, 2, 40, 52)
        with LiveBytes() as encode:
            vae.encode(video)
        with LiveBytes() as decode:
            vae.decode(latents)
    clip = video.numel() * 4
    assert encode_activations(job, MODELS, is_tiled=True) == pytest.approx(encode.peak + clip, rel=0.17)
    assert decode_activations(job, MODELS, is_tiled=True) == pytest.approx(decode.peak, rel=0.17)


def test_tiles_are_for_cards_that_have_no_room_for_a_whole_picture() -> None:
    small, large = (plan_memory(JOB, MODELS, placement="streamed", vram=gib * GIB) for gib in (8, 16))
    assert (small.is_vae_tiled, large.is_vae_tiled) == (True, False)
    assert small.vae_work == pytest.approx(1.6)  # 3 rows of 4 tiles, of 208x256
    assert small.peak.total <= 8 * GIB
    tiny = plan_memory(replace(JOB, size=(256, 256)), MODELS, placement="streamed", vram=0)
    assert not tiny.is_vae_tiled


def test_weights_are_counted_as_they_are_held() -> None:
    assert MODELS.transformer_bytes == sum(MODELS.block_bytes) + MODELS.outside_bytes
    assert len(MODELS.block_bytes) == 48
    in_bf16 = replace(MODELS, backbone_bytes=2, lora_bytes=0)
    few_in_fp32 = 2 * (29_184_000 + 327_680)
    assert in_bf16.transformer_bytes == 2 * 17_337_592_896 + few_in_fp32
    assert MODELS.text_encoder_bytes == 2 * 5_680_910_336
    assert MODELS.vae_bytes == 4 * 126_892_531
    assert models_of(DITTO, {}, vae_dtype="bf16").vae_bytes == 2 * 126_892_531


def test_streaming_keeps_as_many_blocks_as_there_is_room_for() -> None:
    vram = 12 * GIB
    memory = plan_memory(JOB, MODELS, placement="streamed", vram=vram)
    step = next(stage for stage in memory.stages if stage.stage == "step")
    assert 0 < memory.streamed_blocks < 48
    assert step.total <= vram < step.total + MODELS.block_bytes[0]
    num_kept = 48 - memory.streamed_blocks
    assert memory.stream_bytes == 8 * sum(MODELS.block_bytes[num_kept:])
    assert memory.load_bytes + memory.ram_files == MODELS.stored_bytes


def test_a_window_streams_the_module_only_where_it_acts() -> None:
    half = replace(DITTO, window=replace(DITTO.window, end=0.25))
    memory = plan_memory(replace(JOB, recipe=half), MODELS, placement="streamed", vram=0)
    main, module = sum(MODELS.block_bytes[:40]), sum(MODELS.block_bytes[40:])
    assert memory.stream_bytes == 8 * main + 4 * module


def test_weights_stay_on_a_card_that_has_room() -> None:
    large = Machine("large", ram=64 * GIB, vram=80 * GIB)
    memory = memory_on(large, JOB, MODELS)
    assert (memory.placement, memory.streamed_blocks, memory.stream_bytes) == ("resident", 0, 0)
    assert is_fitting(large, memory)
    without_streaming = memory_on(replace(large, vram=12 * GIB), JOB, MODELS, offload="none")
    assert without_streaming.placement == "resident"
    assert without_streaming.peak.total > 12 * GIB
