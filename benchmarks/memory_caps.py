"""A forward with fp8 weights under caps of memory: blocks for which there is no room are streamed, as an edit does it.

A cap limits what PyTorch hands out; the driver's own memory comes on top, for which the plan's reserve is left free.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from torch import Tensor

from benchmarks import results
from benchmarks.models import CONTEXT_CHANNELS, Contenders, Inputs, Sizes, make_contenders
from benchmarks.timing import Times, interleaved
from reelpatch.edits.vace.module import VaceModule
from reelpatch.families.wan.family import WAN
from reelpatch.headless.hosts.wan_pieces import work_in_pieces
from reelpatch.headless.models.stored_layers import StoredOperations, hold_as_stored
from reelpatch.headless.models.streaming import stream_blocks
from reelpatch.plan.job import Job
from reelpatch.plan.memory import GIB, RESERVED_BYTES, plan_memory
from reelpatch.plan.models import models_of
from reelpatch.recipes import recipe

CAPS_GIB = (24, 16, 12, 8, 6)
TURNS = 2
PIECES_DIFFER = 1e-2
FP8 = torch.float8_e4m3fn
_MATRICES = (".attn1.to_", ".attn2.to_", ".ffn.net.", "self_attn.", "cross_attn.", ".ffn.", "_proj.")


@dataclass(frozen=True)
class InRam:
    """Weights of backbone and module as fp8 files hold them, on the CPU."""

    sizes: Sizes
    backbone: dict[str, Tensor]
    module: dict[str, Tensor]
    dtype: torch.dtype


def memory_caps(
    sizes: Sizes, given: Inputs, device: torch.device, wait: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    """The forward with all weights on the device, and under each cap, compared bit for bit."""
    weights = _weights(sizes, device, given.text.dtype)
    expected, fast = _resident_run(weights, given, device, wait)
    blocks = sizes.num_layers + len(sizes.layers)
    found: dict[str, dict[str, Any]] = {
        "none": fast.as_dict()
        | {"streamed": 0, "blocks": blocks, "slowdown": 1.0, "peak_allocated_gib": None}
    }
    for cap in CAPS_GIB:
        _cap(device, cap)
        try:
            found[f"{cap} GiB"] = _capped(weights, given, device, cap, expected, wait)
        except torch.OutOfMemoryError as error:
            found[f"{cap} GiB"] = {"skipped": str(error).splitlines()[0]}
        one = found[f"{cap} GiB"]
        if "median_s" in one:
            one["slowdown"] = one["median_s"] / fast.median
        _cap(device, None)
    return found


def _resident_run(
    weights: InRam, given: Inputs, device: torch.device, wait: Callable[[], None]
) -> tuple[Tensor, Times]:
    whole = _contenders(weights, device)
    whole.backbone.to(device)
    whole.module.to(device)
    times = interleaved({"resident": lambda: whole.ours(given)}, turns=TURNS, wait=wait)
    return whole.ours(given), times["resident"]


def _capped(
    weights: InRam,
    given: Inputs,
    device: torch.device,
    cap: int,
    expected: Tensor,
    wait: Callable[[], None],
) -> dict[str, Any]:
    num_blocks = weights.sizes.num_layers + len(weights.sizes.layers)
    resident, piece = (
        _planned(weights.sizes, given, cap) if device.type == "cuda" else (num_blocks // 2, None)
    )
    models = _contenders(weights, device)
    work_in_pieces(models.backbone, piece)
    main = list(models.backbone.blocks)
    stream_blocks(models.backbone, main[resident:], device)
    stream_blocks(models.module, list(models.module.vace_blocks)[max(0, resident - len(main)) :], device)
    for _ in range(2):  # the first one finds the order of the layers
        what, found = f"at {cap} GiB", models.ours(given)
        if piece is None and not torch.equal(found, expected):
            raise results.Disagree(f"{what} the streamed result is not that of resident weights.")
        # Pieces are added up in another order, which half precision rounds differently.
        results.check_agree(found, expected, at_most=PIECES_DIFFER, what=what)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = interleaved({"streamed": lambda: models.ours(given)}, turns=TURNS, warm_up=0, wait=wait)
    on_cuda = device.type == "cuda"
    free, total = torch.cuda.mem_get_info(device) if on_cuda else (0, 0)
    return times["streamed"].as_dict() | {
        "streamed": num_blocks - resident,
        "piece_tokens": piece,
        "blocks": num_blocks,
        "peak_allocated_gib": torch.cuda.max_memory_allocated() / GIB if on_cuda else None,
        "peak_reserved_gib": torch.cuda.max_memory_reserved() / GIB if on_cuda else None,
        # All that is gone from the card, the driver's own memory included.
        "taken_gib": (total - free) / GIB if on_cuda else None,
    }


def _planned(sizes: Sizes, given: Inputs, cap: int) -> tuple[int, int | None]:
    """How many blocks the plan leaves on a card of that size, and the pieces that they run over. The VAE, which it counts, is not here."""
    ditto = recipe("ditto-global")
    grid = WAN.lattice.grid(*given.latents.shape[2:])
    size = (WAN.lattice.size_multiple * grid.rows, WAN.lattice.size_multiple * grid.columns)
    job = Job(ditto, 4 * (grid.frames - 1) + 1, size)
    memory = plan_memory(job, models_of(ditto, {}), placement="streamed", vram=cap * GIB)
    assert memory.num_blocks == sizes.num_layers + len(sizes.layers)
    return memory.num_blocks - memory.streamed_blocks, memory.piece


def _weights(sizes: Sizes, device: torch.device, dtype: torch.dtype) -> InRam:
    made = make_contenders(sizes, device=device, dtype=dtype)

    def stored(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return {key: (tensor.to(FP8) if _is_matrix(key) else tensor).cpu() for key, tensor in state.items()}

    return InRam(sizes, stored(made.backbone.state_dict()), stored(made.module.state_dict()), dtype)


def _contenders(weights: InRam, device: torch.device) -> Contenders:
    """Models around the weights in RAM; nothing is copied. diffusers' class is not among them."""
    sizes = weights.sizes
    with torch.device("meta"):
        backbone = WanTransformer3DModel(
            num_attention_heads=sizes.dim // 128,
            attention_head_dim=128,
            ffn_dim=sizes.ffn_dim,
            num_layers=sizes.num_layers,
        )
    rope: Any = backbone.rope
    backbone.rope = type(rope)(128, rope.patch_size, rope.max_seq_len)
    for key in weights.backbone:
        if _is_matrix(key):
            hold_as_stored(backbone, key.removesuffix(".weight"), weights.dtype)
    backbone.load_state_dict(weights.backbone, assign=True)
    module = VaceModule.from_state_dict(weights.module, layers=sizes.layers, operations=StoredOperations)
    assert module.config.context_channels == CONTEXT_CHANNELS
    backbone.requires_grad_(False).eval()
    return Contenders(backbone, None, module, weights.dtype, device)


def _is_matrix(key: str) -> bool:
    return (
        "blocks." in key
        and key.endswith(".weight")
        and "norm" not in key
        and any(p in key for p in _MATRICES)
    )


def _cap(device: torch.device, gib: int | None) -> None:
    if device.type != "cuda":
        return
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    share = 1.0 if gib is None else (gib * GIB - RESERVED_BYTES) / total
    torch.cuda.set_per_process_memory_fraction(share, torch.cuda.current_device())
