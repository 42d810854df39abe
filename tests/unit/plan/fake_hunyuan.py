"""A HunyuanVideo-1.5 transformer of full width on tensors that hold no numbers, its weights and LoRAs held as the loader does."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import HunyuanVideo15Transformer3DModel
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from reelpatch.edits.channels.edit import ChannelEdit
from reelpatch.edits.contract import Moment
from reelpatch.families.hunyuan15.family import HUNYUAN_15
from reelpatch.families.hunyuan15.transformer_counts import VISION_ROWS, HunyuanTransformer
from reelpatch.headless.hosts.hunyuan15_host import HunyuanText, JointAttention, predict_velocity
from reelpatch.headless.models.hunyuan15.transformer import (
    _STORED,  # pyright: ignore[reportPrivateUsage]
    _as_its_weights,  # pyright: ignore[reportPrivateUsage]
)
from reelpatch.headless.models.stored_layers import StoredLinear, hold_as_stored
from reelpatch.plan.job import Job
from reelpatch.plan.models import Models
from tests.unit.plan.all_valid import AllValid
from tests.unit.plan.live_bytes import LiveBytes

RANK = 32
DTYPES = {1: torch.float8_e4m3fn, 2: torch.bfloat16, 4: torch.float32}


class FakeSource(ChannelEdit):
    """What is shown of a source, without a look at its numbers."""

    def __post_init__(self) -> None:
        """Nothing can be asked of tensors that hold none."""


def live_step(job: Job, models: Models, texts: tuple[int, int]) -> int:
    """Bytes alive at the peak of a forward with so many rows of Qwen's and of byT5's; two blocks stand for all, each frees what it made."""
    assert isinstance(models.backbone, HunyuanTransformer)
    model, mode = _fake(models)
    shape = HUNYUAN_15.lattice.latent_shape(job.frames, job.size)
    layout = job.recipe.channels
    assert layout is not None
    with mode, torch.no_grad():
        # In another dtype than it is read in, as a card has a copy of them in any case.
        given = torch.float32 if models.compute_bytes == 2 else torch.bfloat16
        rows, glyphs = (
            torch.zeros(1, count, width, dtype=given)
            for count, width in zip(texts, (3584, 1472), strict=True)
        )
        text = HunyuanText(rows, glyphs)
        seen = len(layout.frames_seen(job.frames))
        pictures = torch.zeros(1, VISION_ROWS * seen, 1152, dtype=given)
        edit = FakeSource(torch.zeros(shape), torch.zeros(1, *shape[1:]), pictures)
        latents = torch.zeros(1, *shape)
        with AllValid(), LiveBytes() as live:
            predict_velocity(model, latents, text, moment=Moment(1.0, 0, 50, (True,)), edits=[edit])
    return live.peak


def _fake(models: Models) -> tuple[Any, FakeTensorMode]:
    mode, dtype = FakeTensorMode(), DTYPES[models.compute_bytes]
    with torch.device("meta"):
        model: Any = HunyuanVideo15Transformer3DModel(num_layers=2)
    layers = [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and _STORED.match(f"{name}.weight")
    ]
    for name in layers:
        hold_as_stored(model, name, dtype)
    if models.has_loras:
        lora = LoraConfig(r=RANK, target_modules=layers)
        inject_adapter_in_model(lora, model, "lora", low_cpu_mem_usage=True)
    for block in model.transformer_blocks:
        block.attn.set_processor(JointAttention())
    model.time_embed.timestep_embedder.register_forward_pre_hook(_as_its_weights)
    with mode:
        hold(model, DTYPES[models.backbone_bytes], dtype)
    return model.requires_grad_(False), mode


def hold(model: nn.Module, matrices: torch.dtype, dtype: torch.dtype) -> None:
    """Gives it weights in these dtypes, of which there are no numbers."""
    for layer in list(model.modules()):
        for name, old in list(layer.named_parameters(recurse=False)):
            held = matrices if isinstance(layer, StoredLinear) and name == "weight" else dtype
            setattr(layer, name, nn.Parameter(torch.empty(old.shape, dtype=held), requires_grad=False))
        for name, buffer in list(layer.named_buffers(recurse=False)):
            setattr(layer, name, torch.empty(buffer.shape, dtype=buffer.dtype))
