"""diffusers' Wan transformer as a host of edits, and the denoiser that a solver calls."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import Tensor, nn

from reelpatch.edits.contract import (
    Capability,
    Edit,
    Forward,
    Moment,
    RunningEdits,
    begin_edits,
    check_needs,
)
from reelpatch.errors import BadInput
from reelpatch.families.lattice import TokenGrid
from reelpatch.families.wan.block import Attention
from reelpatch.sampling.guidance import Guidance, SkipLayers
from reelpatch.sampling.schedules import step_of

OFFERED = frozenset({Capability.ADD_AFTER_BLOCK})
TEXT_ROWS = 512  # Wan pads the text to this length and attends to the padding
TIMESTEPS = 1000


def predict_velocity(
    transformer: WanTransformer3DModel,
    latents: Tensor,
    text: Tensor,
    *,
    moment: Moment,
    edits: Sequence[Edit] = (),
    skipped_blocks: frozenset[int] = frozenset(),
    timestep: Tensor | None = None,
) -> Tensor:
    """The transformer's output with `edits` at work; a skipped block hands its input on.

    Shapes: latents `[B, C, T, h, w]`, text `[B, rows, 4096]`, result `[B, 16, T, h, w]`.
    `timestep`, `[B]` or `[B, N]` in 0..1000, is fed to the network in place of the moment's sigma.
    Guarantees: nothing stays on the transformer afterwards, whatever happened; hooks of others go on working;
    gradients flow where they are enabled.
    Raises: `BadInput` when an edit asks for what this host cannot do, or does not fit the transformer.
    """
    device, dtype = transformer.device, transformer.dtype
    if timestep is None:
        timestep = torch.full((len(latents),), TIMESTEPS * moment.sigma)
    hooks = edited(transformer, edits, latents=latents, moment=moment, skipped_blocks=skipped_blocks)
    with hooks, skipped(transformer, skipped_blocks):
        return transformer(
            hidden_states=latents.to(device, dtype),
            timestep=timestep.to(device),
            encoder_hidden_states=text.to(device, dtype),
            return_dict=False,
        )[0]


@contextmanager
def edited(
    transformer: WanTransformer3DModel,
    edits: Sequence[Edit],
    *,
    latents: Tensor,
    moment: Moment,
    skipped_blocks: frozenset[int] = frozenset(),
) -> Generator[None]:
    """`edits` hung on the blocks by PyTorch hooks, for one forward with these `latents` that goes around some blocks."""
    check_needs(edits, OFFERED, host="the diffusers host")
    blocks: Sequence[nn.Module] = list(transformer.blocks)
    frames, rows, columns = latents.shape[-3:]
    grid = TokenGrid.of_latents((frames, rows, columns))
    running = RunningEdits(())

    def begin(_block: nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal running
        tokens, text, modulation, (cos, sin) = inputs
        forward = Forward(
            tokens=tokens,
            grid=grid,
            modulation=modulation,
            # I2V backbones put image tokens in front of the text; the edits' blocks know text alone.
            text=text[:, -TEXT_ROWS:] if transformer.config["added_kv_proj_dim"] else text,
            # diffusers holds each angle twice, once for either half of its pair.
            rotary=torch.stack((cos[0, ..., 0::2], sin[0, ..., 1::2]), dim=-1),
            num_blocks=len(blocks),
            moment=moment,
            attention=_attention_of(blocks[0]),
        )
        running = begin_edits(edits, forward)

    def after(index: int) -> Any:
        was_skipped = index in skipped_blocks
        return lambda _block, _inputs, tokens: running.after_block(index, tokens, was_skipped=was_skipped)

    with ExitStack() as hooks:
        if edits:
            hooks.callback(blocks[0].register_forward_pre_hook(begin).remove)
            for index, block in enumerate(blocks):
                hooks.callback(block.register_forward_hook(after(index)).remove)
        yield


@contextmanager
def skipped(transformer: WanTransformer3DModel, indices: frozenset[int]) -> Generator[None]:
    """The blocks at `indices` hand their input on uncomputed; their hooks still run."""
    outside = sorted(index for index in indices if not 0 <= index < len(transformer.blocks))
    if outside:
        raise BadInput(
            f"block {outside[0]} cannot be skipped, because this backbone has blocks 0 to "
            f"{len(transformer.blocks) - 1}: choose blocks among those."
        )
    blocks = [transformer.blocks[index] for index in sorted(indices)]
    # Other packages also put a `forward` of their own on an instance; what stood there must stand there again.
    former = [block.__dict__.get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = _hand_on
        yield
    finally:
        for block, forward in zip(blocks, former, strict=True):
            del block.forward
            if forward is not None:
                block.forward = forward


def _hand_on(tokens: Tensor, *_: Any) -> Tensor:
    return tokens


def _attention_of(block: Any) -> Attention:
    """The attention that was chosen for the transformer itself (`set_attention_backend`)."""
    backend = block.attn1.processor._attention_backend

    def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return dispatch_attention_fn(q, k, v, backend=backend).flatten(2)

    return attention


@dataclass
class Denoiser:
    """What a solver calls as `model(x, sigma, **extra)`: the denoised latents `x0 = x - sigma * velocity`.

    Shapes: x `[B, 16, T, h, w]`; sigma `[B]`, one noise level for all rows; text embeddings `[1, rows, 4096]`.
    `sigmas` are those of the whole run (its last is 0), even when sampling starts in the middle: a step is found
    by its sigma. The unconditional pass is paid for only where guidance asks for it. `batched` runs both passes
    as one, except where blocks are skipped, which happens on the unconditional pass alone.
    `on_step` hears the step and the number of steps before each prediction.

    Raises: `BadInput` when guidance asks for a negative prompt that is not there.
    """

    transformer: WanTransformer3DModel
    positive: Tensor
    sigmas: Tensor
    negative: Tensor | None = None
    edits: Sequence[Edit] = ()
    guidance: Guidance = Guidance(1.0)
    skip_layers: SkipLayers | None = None
    batched: bool = False
    on_step: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        self.positive = padded_text(self.positive)
        if self.negative is not None:
            self.negative = padded_text(self.negative)
        elif any(self.guidance.enabled(step) for step in range(self.num_steps)):
            raise BadInput(
                f"guidance {self.guidance.scale:g} compares with a negative prompt, but none was given: "
                f"give one (it may be empty text), or use guidance 1."
            )

    @property
    def num_steps(self) -> int:
        return len(self.sigmas) - 1

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: Tensor, **_extra: Any) -> Tensor:
        level = float(sigma.flatten()[0])
        step = self.step_of(level)
        if self.on_step:
            self.on_step(step, self.num_steps)
        velocity = self._velocity(x, _on_grid(level), step)
        return x.float() - level * velocity.to(x.device)

    def step_of(self, sigma: float) -> int:
        """The step of the run that starts at `sigma`, which may have been rounded down to a whole timestep."""
        return step_of(self.sigmas, sigma)

    def _velocity(self, x: Tensor, sigma: float, step: int) -> Tensor:
        if not self.guidance.enabled(step):
            return self._pass(x, sigma, step, (True,))
        skip = self.skip_layers
        skipped_blocks = (
            frozenset(skip.blocks) if skip and skip.active(step, self.num_steps) else frozenset[int]()
        )
        if self.batched and not skipped_blocks:
            conditional, unconditional = self._pass(x, sigma, step, (True, False)).chunk(2)
        else:
            conditional = self._pass(x, sigma, step, (True,))
            unconditional = self._pass(x, sigma, step, (False,), skipped_blocks)
        return self.guidance.combine(conditional, unconditional)

    def _pass(
        self,
        x: Tensor,
        sigma: float,
        step: int,
        kinds: tuple[bool, ...],
        skipped_blocks: frozenset[int] = frozenset(),
    ) -> Tensor:
        """Velocities, float32, with the instruction where a kind is True and the negative prompt where not."""
        texts = [self.positive if kind else self.negative for kind in kinds]
        conditional = tuple(kind for kind in kinds for _ in range(len(x)))
        return predict_velocity(
            self.transformer,
            torch.cat([x] * len(kinds)),
            torch.cat([text.expand(len(x), -1, -1) for text in texts if text is not None]),
            moment=Moment(sigma, step, self.num_steps, conditional),
            edits=self.edits,
            skipped_blocks=skipped_blocks,
        ).float()


def padded_text(text: Tensor) -> Tensor:
    """A text embedding with zero rows up to 512, `[rows, 4096]` or `[1, rows, 4096]` -> `[1, 512, 4096]`."""
    text = text.reshape(-1, *text.shape[-2:])
    if text.shape[1] > TEXT_ROWS:
        raise BadInput(
            f"a text of {text.shape[1]} tokens is longer than the {TEXT_ROWS} the model reads: shorten it."
        )
    return F.pad(text, (0, 0, 0, TEXT_ROWS - text.shape[1]))


def _on_grid(sigma: float) -> float:
    """`sigma`, freed of the float32 rounding that would feed 855.99997 where timestep 856 was meant."""
    timestep = TIMESTEPS * sigma
    whole = round(timestep)
    return whole / TIMESTEPS if abs(timestep - whole) < 1e-3 else sigma
