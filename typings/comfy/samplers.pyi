from collections.abc import Callable, Mapping, Sequence
from typing import Any

from comfy.model_patcher import ModelPatcher
from torch import Tensor

class Sampler:
    def max_denoise(self, model_wrap: Any, sigmas: Tensor) -> bool: ...

class KSAMPLER(Sampler):
    sampler_function: Callable[..., Tensor]
    extra_options: Mapping[str, Any]
    def __init__(
        self, sampler_function: Callable[..., Tensor], extra_options: Mapping[str, Any] = ...
    ) -> None: ...
    def sample(
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any,
        noise: Tensor,
        latent_image: Tensor | None = ...,
        denoise_mask: Tensor | None = ...,
        disable_pbar: bool = ...,
    ) -> Tensor: ...

class CFGGuider:
    model_patcher: ModelPatcher
    model_options: dict[str, Any]
    loaded_models: list[Any]
    inner_model: Any
    conds: dict[str, Any]
    def __init__(self, model_patcher: ModelPatcher) -> None: ...
    def inner_set_conds(self, conds: Mapping[str, Any]) -> None: ...
    def set_cfg(self, cfg: float) -> None: ...
    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = ...,
        callback: Callable[..., None] | None = ...,
        disable_pbar: bool = ...,
        seed: int | None = ...,
    ) -> Tensor: ...
    def outer_sample(self, *args: Any, **kwargs: Any) -> Tensor: ...
    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict[str, Any] = ..., seed: int | None = ...
    ) -> Tensor: ...

def calc_cond_batch(
    model: Any, conds: Sequence[Any], x_in: Tensor, timestep: Tensor, model_options: dict[str, Any]
) -> list[Tensor]: ...
def sampling_function(
    model: Any,
    x: Tensor,
    timestep: Tensor,
    uncond: Any,
    cond: Any,
    cond_scale: float,
    model_options: dict[str, Any] = ...,
    seed: int | None = ...,
) -> Tensor: ...
