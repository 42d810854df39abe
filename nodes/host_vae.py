"""ComfyUI's VAE as the engine's way to encode."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import comfy.model_management
from torch import Tensor

from reelpatch.clips.frames import as_clip
from reelpatch.edits.vace.gray_latents import GrayLatents
from reelpatch.errors import BadInput
from reelpatch.families.family import Family, start
from reelpatch.families.registry import FAMILIES
from reelpatch.families.wan.family import WAN

# HunyuanVideo and Cosmos have as many channels as Wan2.1; VAEs that are not core's own are given the benefit of the doubt.
CORE, CORE_WAN = "comfy.ldm.", "comfy.ldm.wan."


# What each VAE makes of a gray clip, while it lives: ComfyUI hands out the same VAE from prompt to prompt.
_GRAY: WeakKeyDictionary[Any, GrayLatents] = WeakKeyDictionary()


def encoder(vae: Any, family: Family = WAN) -> Callable[[Tensor], Tensor]:
    """The engine's way to encode, over a VAE of ComfyUI's: [3, F, H, W] in [-1, 1] -> normalised [C, T, h, w].

    A gray clip is encoded once for each VAE, size and length.
    Raises: `BadInput` for a VAE of another family.
    """
    check_vae(vae, family)
    assert family.comfyui is not None
    module, name = family.comfyui.latents.rsplit(".", 1)
    normalised = start((module, name)).process_in

    def encode(video: Tensor) -> Tensor:
        comfy.model_management.throw_exception_if_processing_interrupted()
        return normalised(vae.encode(as_clip(video)))[0]

    return _GRAY.setdefault(vae, GrayLatents()).encoder(encode)


def check_vae(vae: Any, family: Family = WAN) -> None:
    """Raises: `BadInput` for a VAE of another family."""
    if family is not WAN:
        if vae.latent_channels != family.lattice.channels:
            raise BadInput(
                f"this is a VAE of {vae.latent_channels} channels, but models of the family '{family.name}' read "
                f"{family.lattice.channels}: load {family.vae or 'the VAE that goes with them'}."
            )
        return
    if vae.latent_channels != WAN.lattice.channels or vae.latent_dim != 3:
        what = "an image VAE" if vae.latent_dim != 3 else f"a video VAE of {vae.latent_channels} channels"
        raise BadInput(
            f"this is {what}, but edit modules read latents of the Wan2.1 VAE (16 channels): load "
            "wan_2.1_vae.safetensors."
        )
    model = type(vae.first_stage_model)
    if model.__module__.startswith(CORE) and not model.__module__.startswith(CORE_WAN):
        raise BadInput(
            f"this is another video VAE of 16 channels ({model.__name__}), but edit modules read latents of the Wan2.1 "
            "VAE: load wan_2.1_vae.safetensors."
        )


def family_of_vae(vae: Any) -> Family:
    """The family whose models read what a VAE makes; Wan's where none says so, which then refuses it."""
    found = (family for family in FAMILIES.all() if vae.latent_dim == 3 and _is_of(vae, family))
    return next(found, WAN)


def _is_of(vae: Any, family: Family) -> bool:
    return family.comfyui is not None and vae.latent_channels == family.lattice.channels
