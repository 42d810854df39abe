"""The toy family as models of ComfyUI's: what somebody's node pack would bring."""

from typing import Any, ClassVar

import comfy.conds
import comfy.latent_formats
import comfy.model_base
import comfy.patcher_extension
import comfy.supported_models_base
import torch
from comfy.model_patcher import ModelPatcher

from toy_family.transformer import CHANNELS, TEXT_DIM, ToyTransformer, ToyVae


class ToyLatents(comfy.latent_formats.LatentFormat):
    latent_channels, latent_dimensions = CHANNELS, 3


class ToyInComfyUI(ToyTransformer):
    """With the wrappers that ComfyUI's own transformers have around their forward."""

    dtype = torch.float32

    def __init__(self, *, operations: Any, **config: Any) -> None:
        super().__init__(operations=operations, **config)

    def forward(
        self, x: Any, timestep: Any, context: Any = None, transformer_options: Any = None, **_more: Any
    ) -> Any:
        options = transformer_options or {}
        wrappers = comfy.patcher_extension.get_all_wrappers(
            comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, options
        )
        execute = comfy.patcher_extension.WrapperExecutor.new_class_executor(super().forward, self, wrappers)
        return execute.execute(x, timestep, context, options)


class ToyConfig(comfy.supported_models_base.BASE):
    unet_config: ClassVar = {"image_model": "toy"}
    unet_extra_config: ClassVar = {}
    sampling_settings: ClassVar = {"shift": 3.0}
    latent_format = ToyLatents
    memory_usage_factor = 0.1


class ToyModel(comfy.model_base.BaseModel):
    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config, model_type=comfy.model_base.ModelType.FLOW, unet_model=ToyInComfyUI)

    def extra_conds(self, **given: Any) -> dict[str, Any]:
        found = super().extra_conds(**given)
        text = given.get("cross_attn")
        return found if text is None else {**found, "c_crossattn": comfy.conds.CONDRegular(text)}


def patcher(transformer: ToyTransformer) -> ModelPatcher:
    """A MODEL with these weights."""
    model = ToyModel(ToyConfig({"image_model": "toy"}))
    model.diffusion_model.load_state_dict(transformer.state_dict())
    cpu = torch.device("cpu")
    return ModelPatcher(model, load_device=cpu, offload_device=cpu)


def text(seed: int) -> list[Any]:
    return [[torch.randn(1, 6, TEXT_DIM, generator=torch.Generator().manual_seed(seed)), {}]]


class VaeInComfyUI:
    """As core's VAE: frames [F, H, W, 3] in [0, 1] and latents [1, C, T, h, w]."""

    latent_channels, latent_dim = CHANNELS, 3

    def __init__(self, vae: ToyVae) -> None:
        self.first_stage_model = vae

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        return self.first_stage_model.encode(2 * frames.movedim(-1, 0) - 1)[None]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return (self.first_stage_model.decode(latents[0]).movedim(0, -1)[None] + 1) / 2
