"""The demo's image-to-video transformer as it is trained: the base without its edit module, its picture in further channels."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from reelpatch.edits.reasoning.drop import rotary_positions
from reelpatch.families.lattice import TokenGrid
from training.model import DIM, LATENT_CHANNELS, TEXT_WIDTH, DemoFamily, attention, rotary_of, sinusoid
from training.restore import restore_family

MASK_CHANNELS = 4
CHANNELS = 2 * LATENT_CHANNELS + MASK_CHANNELS
FILE = "reelpatch_demo_picture_bf16.safetensors"


class PictureFamily(DemoFamily):
    """Text encoder and image-to-video transformer; the text encoder stays as the demo's."""

    def __init__(self) -> None:
        super().__init__()
        del self.vace
        self.patch_embedding = nn.Conv3d(CHANNELS, DIM, (1, 2, 2), stride=(1, 2, 2))

    def velocity(self, latents: Tensor, condition: Tensor, sigma: Tensor, text_BTD: Tensor) -> Tensor:
        """The velocity of noisy `latents` at `sigma` [B], beside what the condition shows, [B, 16, T, h, w] each."""
        grid = TokenGrid(latents.shape[2], latents.shape[3] // 2, latents.shape[4] // 2)
        rotary = rotary_of(grid, tuple(rotary_positions(grid.frames)), latents.device)
        mask = latents.new_zeros(len(latents), MASK_CHANNELS, *latents.shape[2:])
        mask[:, :, 0].fill_(1)
        time_BD = self.time_embedding(sinusoid(1000 * sigma))
        modulation = self.time_projection(time_BD).unflatten(1, (6, DIM))
        seen = torch.cat([latents, mask, condition], dim=1)
        x = self.patch_embedding(seen).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x, modulation, text_BTD, rotary, attention=attention)
        return self.head.unpatched(x, time_BD, latents.shape)


def from_the_demo(models: Path) -> PictureFamily:
    """The demo's base, which sees nothing of the picture yet."""
    base, family = DemoFamily(), PictureFamily()
    restore_family(base, models)
    state = {name: tensor for name, tensor in base.state_dict().items() if not name.startswith("vace.")}
    unseen = torch.zeros(DIM, CHANNELS - LATENT_CHANNELS, 1, 2, 2)
    state["patch_embedding.weight"] = torch.cat([state["patch_embedding.weight"], unseen], dim=1)
    family.load_state_dict(state)
    family.text.requires_grad_(False)
    return family


def restore_pictures(models: Path) -> PictureFamily:
    """The finished weights of a models folder."""
    family = from_the_demo(models)
    state = load_file(models / "diffusion_models" / FILE)
    state["text_embedding.0.weight"] = state["text_embedding.0.weight"][:, :TEXT_WIDTH]
    family.load_state_dict({**family.state_dict(), **state})
    return family
