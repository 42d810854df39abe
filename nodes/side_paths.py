"""LoRAs beside the weights of ComfyUI's layers, which stay as they are, and their strength at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch.nn.functional as F
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import PatcherInjection
from comfy.weight_adapter.bypass import BypassForwardHook
from torch import Tensor, nn
from torch.nn import Parameter

from reelpatch.sampling.schedules import step_of
from reelpatch.sampling.strengths import StrengthSchedule

from .host import options_of


@dataclass(frozen=True, eq=False)
class SidePath:
    """What is added beside one parameter: core's adapter of a pair, or a full difference in the parameter's shape."""

    key: str  # the parameter's name in the patcher's model
    added: Any
    strengths: StrengthSchedule


class SidePaths(PatcherInjection):
    """All side paths of a patcher as one injection, taken off in the reverse order of putting on."""

    def __init__(self, paths: Sequence[SidePath]) -> None:
        self.paths = tuple(paths)
        self._hooks: list[tuple[SidePath, _Hook]] = []
        self._moment: tuple[int, int] | None = None
        super().__init__(inject=self._inject, eject=self._eject)

    def at_step(self, step: int, num_steps: int) -> None:
        """Gives every path its strength at a step. Raises: `BadInput` for more strengths than steps."""
        if (step, num_steps) == self._moment:
            return
        bare = [hook for _, hook in self._hooks if isinstance(hook, _OnParameter)]
        for hook in reversed(bare):  # they stand on each other
            hook.eject()
        for path, hook in self._hooks:
            hook.set_strength(path.strengths.at(step, num_steps))
        for hook in bare:
            hook.inject()
        self._moment = (step, num_steps)

    def _inject(self, patcher: ModelPatcher) -> None:
        self._moment = None
        for path in self.paths:
            owner, _, parameter = path.key.rpartition(".")
            parent = patcher.model.get_submodule(owner.rpartition(".")[0])
            hooks = [_hook(patcher.model.get_submodule(owner), parameter, path)]
            if isinstance(parent, nn.Sequential):
                hooks.append(_OneByOne(parent))
            for hook in hooks:
                hook.inject()
                self._hooks.append((path, hook))

    def _eject(self, _patcher: ModelPatcher) -> None:
        while self._hooks:
            _, hook = self._hooks.pop()
            hook.eject()


@dataclass(frozen=True, eq=False)
class FollowSteps:
    """A wrapper around the transformer's forward that tells side paths which step of the sampler's run this is."""

    paths: SidePaths

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> Tensor:
        options = options_of(args, kwargs)
        sigmas: Tensor = options["sample_sigmas"]
        self.paths.at_step(step_of(sigmas, float(options["sigmas"].flatten()[0])), len(sigmas) - 1)
        return executor(*args, **kwargs)


class _Hook(Protocol):
    def inject(self) -> None: ...
    def eject(self) -> None: ...
    def set_strength(self, strength: float) -> None: ...


def _hook(owner: nn.Module, parameter: str, path: SidePath) -> _Hook:
    strength = path.strengths.values[0]
    if not isinstance(path.added, Tensor):
        return _OfPair(owner, path.added, multiplier=strength)
    kind = _OfLayer if parameter in ("weight", "bias") else _OnParameter
    return kind(owner, parameter, path.added, strength)


class _OfPair(BypassForwardHook):
    """Core's own side path through the two matrices of a pair."""

    def set_strength(self, strength: float) -> None:
        self.adapter.multiplier = strength


class _OfLayer:
    """A full difference of a layer's weight or bias: what the layer adds to its result for it.

    Every layer of Wan's is linear in both, so that nothing has to touch the weight, wherever the host keeps it.
    """

    def __init__(self, layer: nn.Module, parameter: str, delta: Tensor, strength: float) -> None:
        self.layer, self.parameter, self.delta, self.strength = layer, parameter, delta, strength
        self._forward = layer.forward

    def set_strength(self, strength: float) -> None:
        self.strength = strength

    def inject(self) -> None:
        self._forward = self.layer.forward
        self.layer.forward = self._with_delta

    def eject(self) -> None:
        self.layer.forward = self._forward

    def _with_delta(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        out = self._forward(x, *args, **kwargs)
        if not self.strength:
            return out
        self.delta = self.delta.to(x.device)
        return out + (self.strength * self._through(x, self.delta.to(x.dtype))).to(out.dtype)

    def _through(self, x: Tensor, delta: Tensor) -> Tensor:
        layer: Any = self.layer
        if self.parameter == "bias":
            return delta.view(-1, 1, 1, 1) if isinstance(layer, nn.Conv3d) else delta
        if isinstance(layer, nn.Conv3d):
            return F.conv3d(x, delta, None, layer.stride, layer.padding)
        if isinstance(layer, nn.LayerNorm):
            return F.layer_norm(x, layer.normalized_shape, eps=layer.eps) * delta
        if isinstance(layer, nn.RMSNorm):
            return F.rms_norm(x, layer.normalized_shape, eps=layer.eps) * delta
        return F.linear(x, delta)


class _OneByOne:
    """A feed-forward that calls its layers: core's folds the activation into an int8 layer, past the layer's forward."""

    def __init__(self, layers: nn.Sequential) -> None:
        self.layers = layers
        self._forward = layers.forward

    def set_strength(self, strength: float) -> None:
        """Nothing of it depends on that."""

    def inject(self) -> None:
        self._forward = self.layers.forward
        self.layers.forward = partial(nn.Sequential.forward, self.layers)

    def eject(self) -> None:
        self.layers.forward = self._forward


class _OnParameter:
    """A full difference of a bare parameter (`modulation`), which another takes the place of."""

    def __init__(self, owner: nn.Module, name: str, delta: Tensor, strength: float) -> None:
        self.owner, self.name, self.delta, self.strength = owner, name, delta, strength
        self._standing = owner.get_parameter(name)

    def set_strength(self, strength: float) -> None:
        self.strength = strength

    def inject(self) -> None:
        self._standing = self.owner.get_parameter(self.name)
        setattr(self.owner, self.name, changed_by(self._standing, self.delta, self.strength))

    def eject(self) -> None:
        setattr(self.owner, self.name, self._standing)


def changed_by(parameter: Tensor, delta: Tensor, strength: float) -> Parameter:
    """The parameter plus a difference times a strength, summed in fp32 and rounded once."""
    total = parameter.float() + strength * delta.to(parameter.device).float()
    return Parameter(total.to(parameter.dtype), requires_grad=False)
