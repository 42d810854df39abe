"""The tokens of one forward spread over several processes, by diffusers' context parallelism.

Each process holds a part of the sample's tokens, and a part of each segment's: attention gives the same in any order of
tokens, so that all which goes by token stays with its tokens. Between processes go the queries, keys, values and results of
self-attention (Ulysses: the heads of all tokens; ring: keys and values of all), and the velocities at the end. All weights
are everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from diffusers import ContextParallelConfig, WanTransformer3DModel
from diffusers.hooks.context_parallel import EquipartitionSharder
from diffusers.models._modeling_parallel import ParallelConfig
from diffusers.models.attention_dispatch import (
    AttentionBackendName,
    _AttentionBackendRegistry,  # pyright: ignore[reportPrivateUsage]
    _templated_context_parallel_attention,  # pyright: ignore[reportPrivateUsage]
    dispatch_attention_fn,
)
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from reelpatch.errors import BadInput
from reelpatch.families.attention import Attention

_SPREAD = "reelpatch_spread"
_NATIVE = AttentionBackendName.NATIVE
_SHAREABLE = _AttentionBackendRegistry._supports_context_parallel  # pyright: ignore[reportPrivateUsage]
_WITH_SUMS = AttentionBackendName._NATIVE_FLASH  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True, eq=False)
class Spread:
    """How tokens are spread over the processes of the default group of `torch.distributed`."""

    config: ParallelConfig
    mesh: DeviceMesh
    rank: int
    count: int

    @property
    def is_ring(self) -> bool:
        """Whether keys and values are exchanged, and not heads."""
        return self._context.ring_degree != 1

    @property
    def _context(self) -> ContextParallelConfig:
        return cast(ContextParallelConfig, self.config.context_parallel_config)

    def part(self, tokens: Tensor, dim: int = 1) -> Tensor:
        """This process's part of tokens, or of what goes with them; the first parts are longer by one where they do not divide."""
        return tokens.tensor_split(self.count, dim)[self.rank]

    def whole(self, part: Tensor, num_tokens: int) -> Tensor:
        """All of which this is the part [B, n, D]: [B, num_tokens, D], the same in every process."""
        longest = -(-num_tokens // self.count)
        padded = F.pad(part, (0, 0, 0, longest - part.shape[1]))
        parts = EquipartitionSharder.unshard(padded, 1, self.mesh)
        if num_tokens % self.count == 0:
            return parts
        longer = num_tokens % self.count
        each = parts.chunk(self.count, dim=1)
        return torch.cat([one if at < longer else one[:, :-1] for at, one in enumerate(each)], dim=1)

    def tell_lengths(self, lengths: Sequence[int]) -> None:
        """Has attention expect parts of these numbers of tokens, in the forward that begins.

        Raises: `BadInput` for fewer tokens than processes.
        """
        if min(lengths) < self.count:
            raise BadInput(
                f"{min(lengths)} tokens cannot be shared by {self.count} processes: start fewer, or work at a larger size."
            )
        is_uneven = any(length % self.count for length in lengths)
        setattr(self._context, "ring_anything" if self.is_ring else "ulysses_anything", is_uneven)

    def attention(self, backend: AttentionBackendName | str | None) -> Attention:
        """Attention of this process's queries to all keys and values, `[B, n, A * E]`."""

        def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            if self.is_ring and q.device.type == "cpu":
                seen = _ring_on_cpu(q, k, v, self.config)
            else:
                seen = dispatch_attention_fn(q, k, v, backend=backend, parallel_config=self.config)  # pyright: ignore[reportArgumentType]
            return seen.flatten(2)

        return attend


@cache
def spread_over_all(way: str, device: torch.device) -> Spread:
    """Over all processes of the group, which attend by `ulysses` or `ring`; the first time, all of them have to ask."""
    rank, count = dist.get_rank(), dist.get_world_size()
    degrees = {"ring_degree": count} if way == "ring" else {"ulysses_degree": count}
    context = ContextParallelConfig(**degrees)  # pyright: ignore[reportArgumentType]
    config = ParallelConfig(context_parallel_config=context)
    mesh = dist.init_device_mesh(device.type, context.mesh_shape, mesh_dim_names=context.mesh_dim_names)
    # As `enable_parallelism` does, which divides by the number of cards and so does not run without any.
    config.setup(rank, count, device, mesh=mesh)
    return Spread(config, mesh[way], rank, count)


def spread_of(transformer: nn.Module) -> Spread | None:
    """How the tokens of this transformer's forwards are spread; None where one process has them all."""
    return getattr(transformer, _SPREAD, None)


def spread_tokens(transformer: WanTransformer3DModel, spread: Spread) -> None:
    """Spreads the tokens of every forward of the transformer, and of the edits on it; all processes have to run it alike.

    The kernel that was chosen for attention stays, if it can be used so. Attention in a ring joins what is found piece by piece,
    which needs the sums of its exponentials; PyTorch's own choice of kernels hides them.
    """
    backend = cast(Any, transformer.blocks[0]).attn1.processor._attention_backend
    if backend is not None and AttentionBackendName(backend).value not in _SHAREABLE:
        transformer.set_attention_backend(_NATIVE.value)
        backend = _NATIVE
    if spread.is_ring and transformer.device.type != "cpu" and backend in (None, _NATIVE, _NATIVE.value):
        transformer.set_attention_backend(_WITH_SUMS.value)
    setattr(transformer, _SPREAD, spread)


def _ring_on_cpu(q: Tensor, k: Tensor, v: Tensor, config: ParallelConfig) -> Tensor:
    return cast(
        Tensor,
        _templated_context_parallel_attention(
            q, k, v, forward_op=_flash_on_cpu, backward_op=None, _parallel_config=config
        ),
    )


def _flash_on_cpu(
    _context: Any, q: Tensor, k: Tensor, v: Tensor, *_: Any, **_named: Any
) -> tuple[Tensor, Tensor]:
    """Attention, and the log of its sums of exponentials [B, n, A], of [B, n, A, E]."""
    heads = (x.transpose(1, 2) for x in (q, k, v))
    seen, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*heads)
    return seen.transpose(1, 2), sums.transpose(1, 2)
