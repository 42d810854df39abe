"""The denoiser that a solver calls: guidance over forwards of a host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from reelpatch.edits.contract import Edit, Moment
from reelpatch.errors import BadInput
from reelpatch.headless.hosts.wan_host import TIMESTEPS, SeenPicture, predict_velocity
from reelpatch.headless.models.embedded_texts import joined_texts
from reelpatch.headless.models.family_models import Predict
from reelpatch.sampling.condition_sets import Chain, ConditionSet
from reelpatch.sampling.guidance import Guidance, SkipLayers
from reelpatch.sampling.schedules import step_of

OnStep = Callable[[int, int], None]
JoinTexts = Callable[[Sequence[Any], int], Any]


@dataclass(frozen=True)
class ExpertSwitch:
    """The expert that takes over at a step: how it is loaded, with what sets its LoRAs, and how much guidance changes then."""

    step: int
    load: Callable[[], tuple[Any, OnStep]]
    guidance: float = 1.0


@dataclass
class Denoiser:
    """What a solver calls as `model(x, sigma, **extra)`: the denoised latents `x0 = x - sigma * velocity`.

    Shapes: x `[B, 16, T, h, w]`; sigma `[B]`, one noise level for all rows; text embeddings `[1, rows, 4096]`, or
    what else the family's texts are, which `join` brings together for one pass.
    `sigmas` are those of the whole run (its last is 0), even when sampling starts in the middle: a step is found
    by its sigma. A pass is paid for only where guidance asks for it. `batched` runs those that see the same segments
    as one, except where blocks are skipped, which happens without the instruction alone.
    `on_step` hears the step and the number of steps before each prediction. `picture` is for image-to-video backbones, and
    `predict` runs the transformer. After a `switch` nothing here refers to the first transformer any more.

    Raises: `BadInput` when guidance asks for a negative prompt that is not there.
    """

    transformer: nn.Module
    positive: Any
    sigmas: Tensor
    negative: Any = None
    edits: Sequence[Edit] = ()
    guidance: Guidance = Guidance(1.0)
    skip_layers: SkipLayers | None = None
    batched: bool = False
    on_step: OnStep | None = None
    picture: SeenPicture | None = None
    predict: Predict = predict_velocity
    switch: ExpertSwitch | None = None
    join: JoinTexts = joined_texts

    def __post_init__(self) -> None:
        if self.negative is None and any(self.guidance.enabled(step) for step in range(self.num_steps)):
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
        if self.switch is not None and step >= self.switch.step:
            self._take_over(self.switch)
        if self.on_step:
            self.on_step(step, self.num_steps)
        chain = self.guidance.chain(step)
        velocities = self._velocities(x, _on_grid(level), step, chain)
        if chain.projection is None:
            return x.float() - level * chain.combine(velocities).to(x.device)
        return chain.combine({one: x.float() - level * v.to(x.device) for one, v in velocities.items()})

    def _take_over(self, switch: ExpertSwitch) -> None:
        del self.transformer, self.on_step  # the next needs the memory
        self.switch = None
        self.transformer, self.on_step = switch.load()
        self.guidance = self.guidance.times(switch.guidance)

    def step_of(self, sigma: float) -> int:
        """The step of the run that starts at `sigma`, which may have been rounded down to a whole timestep."""
        return step_of(self.sigmas, sigma)

    def _velocities(self, x: Tensor, sigma: float, step: int, chain: Chain) -> dict[ConditionSet, Tensor]:
        """What every pass of the step predicts, those with the instruction first."""
        skip = self.skip_layers
        skipped_blocks = (
            frozenset(skip.blocks) if skip and skip.active(step, self.num_steps) else frozenset[int]()
        )
        told: dict[ConditionSet, Tensor] = {}
        for together in _groups(chain.sets, is_batched=self.batched and not skipped_blocks):
            skipped = frozenset[int]() if together[0].is_instructed else skipped_blocks
            velocities = self._pass(x, sigma, step, together, skipped).chunk(len(together))
            told.update(zip(together, velocities, strict=True))
        return told

    def _pass(
        self,
        x: Tensor,
        sigma: float,
        step: int,
        together: Sequence[ConditionSet],
        skipped_blocks: frozenset[int],
    ) -> Tensor:
        """Velocities, float32, of sets that see the same segments, one after the other."""
        texts = [self.positive if one.is_instructed else self.negative for one in together]
        conditional = tuple(one.is_instructed for one in together for _ in range(len(x)))
        return self.predict(
            self.transformer,
            torch.cat([x] * len(together)),
            self.join([text for text in texts if text is not None], len(x)),
            moment=Moment(sigma, step, self.num_steps, conditional, together[0].sees),
            edits=self.edits,
            skipped_blocks=skipped_blocks,
            picture=self.picture,
        ).float()


def _groups(sets: Sequence[ConditionSet], *, is_batched: bool) -> list[list[ConditionSet]]:
    """What runs as one forward: each set alone, or all that see the same segments, the instruction first."""
    groups: dict[Any, list[ConditionSet]] = {}
    for one in reversed(sets):
        groups.setdefault(one.sees if is_batched else one, []).append(one)
    return list(groups.values())


def _on_grid(sigma: float) -> float:
    """`sigma`, freed of the float32 rounding that would feed 855.99997 where timestep 856 was meant."""
    timestep = TIMESTEPS * sigma
    whole = round(timestep)
    return whole / TIMESTEPS if abs(timestep - whole) < 1e-3 else sigma
