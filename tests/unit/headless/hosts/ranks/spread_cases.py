"""Forwards and runs of tiny transformers that several processes share, and what each of them sends meanwhile.

`python -m tests.unit.headless.hosts.ranks.spread_cases FOLDER` writes what two made, and four. They are forked from one process where that
can be done, which has imported everything once.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from diffusers import WanTransformer3DModel
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from reelpatch.edits.contract import Edit, Moment
from reelpatch.edits.segments.edit import LatentSegment, SegmentsEdit
from reelpatch.edits.vace.edit import VaceContext, VaceEdit
from reelpatch.edits.vace.module import VaceModule
from reelpatch.headless.hosts.denoiser import Denoiser
from reelpatch.headless.hosts.ranks.fellows import CPU_BACKEND
from reelpatch.headless.hosts.ranks.spread import spread_of, spread_over_all, spread_tokens
from reelpatch.headless.hosts.wan_host import predict_velocity
from reelpatch.headless.models.streaming import stream_blocks
from reelpatch.sampling.guidance import Guidance
from reelpatch.sampling.schedules import make_sigmas
from reelpatch.sampling.solvers import sample_flow_unipc
from tests.golden import tiny_wan
from tests.golden.deterministic import make_input

HEADS, WIDTH = 4, 128
SIZES: dict[str, Any] = {"num_attention_heads": HEADS, "attention_head_dim": WIDTH // HEADS}
MOMENT = Moment(sigma=0.625, step=0, num_steps=4, conditional=(True,))
TEXT, NEGATIVE = make_input((1, 512, 24), 0.17, 1.0), make_input((1, 512, 24), 0.07, 2.0)
EVEN, ODD = (4, 6, 8), (3, 6, 10)  # latent frames, rows, columns: 48 tokens, and 45

Models = tuple[WanTransformer3DModel, VaceModule]


def tiny_models() -> Models:
    """A backbone of three blocks and an edit module of two, of four heads."""
    backbone, _, module = tiny_wan.vace((0, 2), 12, **SIZES)
    return backbone, module


def latents(grid: tuple[int, int, int]) -> Tensor:
    return make_input((1, 4, *grid))


def _hints(models: Models, grid: tuple[int, int, int]) -> VaceEdit:
    return VaceEdit(models[1], [VaceContext(make_input((12, *grid), 0.23, 3.0))])


def _segments(columns: int = 8, **told: Any) -> SegmentsEdit:
    source = LatentSegment(make_input((4, 2, 6, 8), 0.31, 2.0), is_numbered=True, is_before=True, **told)
    return SegmentsEdit([source, LatentSegment(make_input((4, 1, 4, columns), 0.29, 1.0), is_reference=True)])


@torch.no_grad()
def forward(models: Models, grid: tuple[int, int, int], edits: list[Edit], **told: Any) -> Tensor:
    return predict_velocity(models[0], latents(grid), TEXT, moment=MOMENT, edits=edits, **told)


def guided(models: Models, grid: tuple[int, int, int], edits: list[Edit], *, batched: bool) -> Tensor:
    """The latents of a run of four steps with guidance."""
    sigmas = make_sigmas("native", 4, shift=2.0)
    denoiser = Denoiser(
        models[0], TEXT, sigmas, negative=NEGATIVE, edits=edits, guidance=Guidance(3.0), batched=batched
    )
    return sample_flow_unipc(denoiser, latents(grid), sigmas)


def streamed(models: Models, grid: tuple[int, int, int]) -> Tensor:
    """As "module", with all weights of blocks sent as they are needed."""
    backbone, module = tiny_models()
    if (spread := spread_of(models[0])) is not None:
        spread_tokens(backbone, spread)
    stream_blocks(backbone, list(backbone.blocks), torch.device("cpu"))
    stream_blocks(module, list(module.vace_blocks), torch.device("cpu"))
    return forward((backbone, module), grid, [_hints((backbone, module), grid)])


CASES: dict[str, Callable[[Models], Tensor]] = {
    "backbone": lambda models: forward(models, EVEN, []),
    "backbone, odd": lambda models: forward(models, ODD, []),
    "module": lambda models: forward(models, EVEN, [_hints(models, EVEN)]),
    "module, odd": lambda models: forward(models, ODD, [_hints(models, ODD)]),
    "skipped": lambda models: forward(models, EVEN, [_hints(models, EVEN)], skipped_blocks=frozenset({1})),
    "segments": lambda models: forward(models, EVEN, [_segments()]),
    "told segments": lambda models: forward(models, ODD, [_segments(10, sigma=0.0)]),
    "both": lambda models: forward(models, EVEN, [_hints(models, EVEN), _segments()]),
    "timed": lambda models: forward(
        models, ODD, [_hints(models, ODD)], timestep=torch.linspace(0, 625, 45)[None]
    ),
    "streamed": lambda models: streamed(models, EVEN),
    "guidance": lambda models: guided(models, EVEN, [_hints(models, EVEN)], batched=False),
    "batched guidance": lambda models: guided(models, ODD, [_segments(10)], batched=True),
}


@dataclass
class Sent:
    """Bytes that leave a process, and how many collectives they leave by."""

    bytes: int = 0
    collectives: int = 0


_SENDS_NOTHING = ("::wait_tensor", "::_wrap_tensor_autograd")


class _Hook(TorchDispatchMode):
    """Watches every collective that PyTorch is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = Sent()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        others = dist.get_world_size() - 1
        name = func._overloadpacket._qualified_op_name
        if name == "_c10d_functional::all_to_all_single":
            kept = args[0].numel() // dist.get_world_size()
            self._add((args[0].numel() - kept) * args[0].element_size())
        elif name == "_c10d_functional::all_gather_into_tensor":
            self._add(args[0].nbytes * others)
        elif name.startswith(("c10d::", "_c10d_functional::")) and not name.endswith(_SENDS_NOTHING):
            raise AssertionError(f"{name} is not counted")
        return func(*args, **(kwargs or {}))

    def _add(self, num_bytes: int) -> None:
        self.sent.bytes += num_bytes
        self.sent.collectives += 1


@contextmanager
def watched() -> Iterator[Sent]:
    with _Hook() as hook:
        yield hook.sent


COUNTED = ("backbone", "module", "segments")


COUNTS = (2, 4)


def share(rank: int, count: int, folder: Path) -> None:
    """All cases in one of `count` processes; the first writes what each of them made."""
    torch.set_num_threads(1)  # a fork has none of the threads that its parent may have had
    meeting = (folder / f"meeting{count}").as_uri()
    dist.init_process_group(CPU_BACKEND, init_method=meeting, rank=rank, world_size=count)
    made: dict[str, Any] = {}
    for way in ("ulysses", "ring"):
        models = tiny_models()
        spread_tokens(models[0], spread_over_all(way, torch.device("cpu")))
        for name, case in CASES.items():
            made[f"{way}: {name}"] = case(models)
        for name in COUNTED:
            with watched() as sent:
                CASES[name](models)
            made[f"{way}: bytes of {name}"] = (sent.bytes, sent.collectives)
    # Every process holds all of the result, and the same to the bit.
    everybodys: list[Any] = [None] * count
    dist.all_gather_object(everybodys, made)
    if rank == 0:
        torch.save(everybodys, folder / f"{count}.pt")
    dist.destroy_process_group()


def main(folder: Path) -> int:
    """How many processes went wrong."""
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if can_fork else "spawn")
    wrong = 0
    for count in COUNTS:
        ranks = [context.Process(target=share, args=(rank, count, folder)) for rank in range(count)]
        for one in ranks:
            one.start()
        for one in ranks:
            one.join()
        wrong += sum(one.exitcode != 0 for one in ranks)
    return wrong


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
