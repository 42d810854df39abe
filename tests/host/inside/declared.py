"""What ComfyUI is told of the memory of edits is what a forward holds with them, counted on tensors of full size without numbers.

In inference mode, in which checks run, a norm of queries or keys is one operation, as it is on a card.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import comfy.model_base
import comfy.model_management
import comfy.ops
import torch
from comfy.ldm.modules.attention import attention_pytorch
from comfy.ldm.wan.model import WanModel
from tiny import apply, backbone, difference, module, sample
from torch._subclasses.fake_tensor import FakeTensorMode

from reelpatch.edits.adapter.edit import AdapterEdit, SeenByAdapter
from reelpatch.edits.adapter.module import AdapterModule
from reelpatch.edits.contract import Edit, Moment
from reelpatch.edits.segments.edit import LatentSegment, SegmentsEdit
from reelpatch.edits.sharing import schedule
from reelpatch.edits.sharing.edit import SharingEdit
from reelpatch.edits.sharing.schedule import Policy, Rule, SharingMethod, Stage, Stages
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.module import VaceConfig, VaceModule
from reelpatch.families.wan.family import WAN, WAN_5B_FAMILY

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "plan"))
from live_bytes import LiveBytes

BF16, OPERATIONS = torch.bfloat16, comfy.ops.manual_cast
CLIP, STILL = (19, 60, 104), (1, 60, 104)  # latents of 73 frames of 832x480
WIDE_CLIP, WIDE_STILL = (19, 30, 52), (1, 30, 52)  # by the VAE of Wan2.2 TI2V-5B
WIDTHS = {"14B": (5120, 13824), "1.3B": (1536, 8960), "5B": (3072, 14336)}
LATTICES = {"14B": WAN.lattice, "1.3B": WAN.lattice, "5B": WAN_5B_FAMILY.lattice}
SHAPES = {"14B": CLIP, "1.3B": CLIP, "5B": WIDE_CLIP}
# An edit declared too low ends in a full card, one declared too high keeps room that weights could have. ComfyUI's own estimate
# of a plain forward is 1.2 to 1.7 times what it holds, so that a tenth too low is still enough.
LOWEST, HIGHEST = 0.9, 1.2


def host() -> ModuleType:
    return next(found for name, found in sys.modules.items() if name.endswith(".nodes.host"))


def memory() -> ModuleType:
    return next(found for name, found in sys.modules.items() if name.endswith(".nodes.edit_memory"))


def transformer(size: str) -> Any:
    """Two blocks stand for all: each frees what it made."""
    dim, ffn_dim = WIDTHS[size]
    channels = LATTICES[size].channels
    model = WanModel(
        dim=dim, ffn_dim=ffn_dim, num_heads=dim // 128, num_layers=2, in_dim=channels, out_dim=channels, operations=OPERATIONS,
        dtype=BF16,
    )  # fmt: skip
    return model.requires_grad_(False)


def vace(size: str, contexts: int = 1) -> VaceEdit:
    dim, ffn_dim = WIDTHS[size]
    torch.set_default_dtype(BF16)
    try:
        made = VaceModule(VaceConfig(dim, ffn_dim, dim // 128, (0,)), operations=OPERATIONS, layers_cast=True)
    finally:
        torch.set_default_dtype(torch.float32)
    made.requires_grad_(False)
    return VaceEdit(made, [VaceContext(torch.zeros(96, *CLIP)) for _ in range(contexts)])


def segments(*shapes: tuple[int, int, int]) -> SegmentsEdit:
    with patch.object(LatentSegment, "__post_init__"):  # which looks for numbers that are not finite
        return SegmentsEdit([LatentSegment(torch.zeros(16, *one), is_numbered=True) for one in shapes])


def adapter() -> AdapterEdit:
    source, still = torch.zeros(48, *WIDE_CLIP), torch.zeros(48, *WIDE_STILL)
    made = AdapterModule(48, WIDTHS["5B"][0], operations=OPERATIONS, dtype=BF16, layers_cast=True)
    with patch.object(SeenByAdapter, "__post_init__"):
        return AdapterEdit(made.requires_grad_(False), SeenByAdapter(source, source, [still]))


def held(model: Any, size: str, edits: list[Edit], *, rows: int, is_pair: bool) -> int:
    """Bytes of tensors alive at the peak of a forward of so many rows; `is_pair` where all have the instruction."""
    options: dict[str, Any] = {
        "cond_or_uncond": [0] if is_pair else [0, 1][:rows],
        "sample_sigmas": None,
        "sigmas": SimpleNamespace(flatten=lambda: [0.95]),  # tensors without numbers say none
        "optimized_attention_override": lambda _chosen, *args, **kwargs: attention_pytorch(*args, **kwargs),
    }
    if edits:
        wrapper = host().EditedForward(tuple(edits), LATTICES[size])
        options["wrappers"] = {"diffusion_model": {"reelpatch": [wrapper]}}
    moment = Moment(0.95, 0, 4, tuple(is_pair or row == 0 for row in range(rows)))
    latents = torch.zeros(rows, LATTICES[size].channels, *SHAPES[size], dtype=BF16)
    text = torch.zeros(rows, 512, 4096, dtype=BF16)
    with (
        torch.no_grad(),
        patch.object(host().Moment, "on", lambda *_given: moment),
        LiveBytes() as live,
    ):
        model(latents, torch.zeros(rows), text, transformer_options=options)
    return live.peak


def estimated(size: str, shape: list[int]) -> float:
    """As ComfyUI estimates a forward of these models in bf16 on a card."""
    like = SimpleNamespace(
        memory_usage_factor=WIDTHS[size][0] / 2222,  # supported_models.WAN21_T2V
        memory_usage_factor_conds=(),
        memory_usage_shape_process={},
        get_dtype_inference=lambda: BF16,
    )
    with patch.object(comfy.model_management, "pytorch_attention_flash_attention", lambda: True):
        return comfy.model_base.BaseModel.memory_required(like, shape)


def compared(
    model: Any, size: str, edits: list[Edit], *, rows: int = 1, is_pair: bool = False
) -> dict[str, float]:
    """In GiB, and how many times as much the edits are declared to take as they do, each beside a plain forward."""
    shape = [rows, 16, *SHAPES[size]]
    plain = held(model, size, [], rows=rows, is_pair=is_pair)
    counted = held(model, size, edits, rows=rows, is_pair=is_pair)
    told = memory().EditMemory(edits, LATTICES[size]).told(shape)
    before, declared = estimated(size, shape), estimated(size, told)
    found = {
        "plain": plain / 2**30,
        "with edits": counted / 2**30,
        "declared": declared / 2**30,
        "ratio": (declared / before) / (counted / plain),
    }
    assert counted > plain, found
    assert declared > counted, found
    assert LOWEST <= found["ratio"] <= HIGHEST, found
    return found


def check_what_is_declared_is_what_a_forward_holds():
    method = SharingMethod(Stages(0.9, 0.6), "local")
    rules = {"local": (Rule(Stage.EARLY, Policy.CONCAT_KV),)}
    with FakeTensorMode(), patch.dict(schedule.SCHEDULES, rules):
        large, small, wide = transformer("14B"), transformer("1.3B"), transformer("5B")
        return {
            "VACE": compared(large, "14B", [vace("14B")]),
            "VACE, both passes": compared(large, "14B", [vace("14B")], rows=2),
            "VACE, three contexts": compared(large, "14B", [vace("14B", 3)]),
            "VACE twice": compared(large, "14B", [vace("14B"), vace("14B")]),
            "VACE 1.3B": compared(small, "1.3B", [vace("1.3B")]),
            "segments": compared(large, "14B", [segments(CLIP)]),
            "segments, both passes": compared(large, "14B", [segments(CLIP)], rows=2),
            "segments with references": compared(large, "14B", [segments(CLIP, STILL, STILL)]),
            "segments 1.3B": compared(small, "1.3B", [segments(CLIP)]),
            "segments and VACE": compared(large, "14B", [segments(CLIP), vace("14B")]),
            "adapter": compared(wide, "5B", [adapter()]),
            "shared attention": compared(large, "14B", [SharingEdit(method)], rows=2, is_pair=True),
        }


def check_edits_add_up_in_any_order():
    with FakeTensorMode():
        one, other = vace("1.3B"), segments(CLIP)
    shape = [1, 16, *CLIP]
    both = [memory().EditMemory(edits, WAN.lattice).told(shape) for edits in ([one, other], [other, one])]
    assert both[0] == both[1] == [1, 16, 42, *CLIP[1:]], both  # 19 frames, as many again, and a fifth


def check_passes_are_joined_only_where_there_is_room_for_their_edits():
    """Rows of each call of the transformer, in one step with guidance."""
    edited, latent = apply(backbone(torch.float32), module(torch.float32))
    plain = backbone(torch.float32)
    shape = [2, *latent["samples"].shape[1:]]
    enough = memory().BATCH_MARGIN * plain.model.memory_required(shape)
    edit = host().attached_edits(edited)[0]
    told = memory().EditMemory([edit], WAN.lattice).told(shape)
    enough_for_both = memory().BATCH_MARGIN * plain.model.memory_required(told)
    assert enough < enough_for_both

    def run(model: Any, free: float) -> tuple[list[int], torch.Tensor]:
        rows: list[int] = []
        seen = model.clone()
        seen.set_model_unet_function_wrapper(
            lambda call, given: (rows.append(len(given["input"])), call(given["input"], given["timestep"], **given["c"]))[1]
        )  # fmt: skip
        with patch.object(type(seen), "get_free_memory", lambda _self, _device: free):
            made = sample(seen, latent=latent["samples"], sigmas=torch.tensor([0.9, 0.0]))
        return rows, made

    between = (enough + enough_for_both) / 2
    assert run(plain, between)[0] == [2]
    assert run(plain, 0.9 * enough)[0] == [1, 1]
    (joined, together), (apart, made) = run(edited, 1.1 * enough_for_both), run(edited, between)
    assert (joined, apart) == ([2], [1, 1])
    found = difference(together, made)
    assert found < 1e-5
    return found
