"""The toy transformer, its VAE and their weights; torch alone, the same in both hosts."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS, WIDTH, NUM_BLOCKS, TEXT_DIM = 8, 64, 3, 4096
FRAMES, CELL_PX = 2, 4


class ToyBlock(nn.Module):
    def __init__(self, width: int, operations: Any) -> None:
        super().__init__()
        self.mix, self.own = operations.Linear(width, width), operations.Linear(width, width)

    def forward(self, tokens: Tensor, vec: Tensor, text: Tensor) -> Tensor:
        seen = tokens * (1 + vec[:, 0:1]) + text.mean(dim=1, keepdim=True)
        return tokens + self.own(torch.tanh(self.mix(seen + tokens.mean(dim=1, keepdim=True))))


class ToyTransformer(nn.Module):
    """Tokens are single cells of latents; patches of ComfyUI's sort may stand around each block."""

    def __init__(self, *, operations: Any = nn, **_config: Any) -> None:
        super().__init__()
        self.dim, self.num_heads, self.patch_size = WIDTH, 4, (1, 1, 1)
        self.patch_embedding = operations.Conv3d(CHANNELS, WIDTH, 1)
        self.mix = operations.Linear(TEXT_DIM, WIDTH)
        self.time = operations.Linear(1, 6 * WIDTH, bias=False)
        self.blocks = nn.ModuleList(ToyBlock(WIDTH, operations) for _ in range(NUM_BLOCKS))
        self.head = operations.Linear(WIDTH, CHANNELS)

    def forward(
        self, x: Tensor, timestep: Tensor, context: Tensor, transformer_options: dict[str, Any] | None = None
    ) -> Tensor:
        around = (transformer_options or {}).get("patches_replace", {}).get("dit", {})
        tokens = self.patch_embedding(x).flatten(2).transpose(1, 2)
        vec = self.time(timestep.to(x)[:, None] / 1000).unflatten(1, (6, WIDTH))
        text = self.mix(context.to(x))
        rotary = torch.zeros(1, tokens.shape[1], 1, WIDTH // self.num_heads // 2, 2, 2)
        for index, block in enumerate(self.blocks):
            given = {
                "img": tokens,
                "txt": text,
                "vec": vec,
                "pe": rotary,
                "transformer_options": transformer_options,
            }

            def plain(asked: dict[str, Any], block: nn.Module = block) -> dict[str, Any]:
                return {"img": block(asked["img"], asked["vec"], asked["txt"])}

            patch = around.get(("double_block", index))
            tokens = (patch(given, {"original_block": plain}) if patch else plain(given))["img"]
        return self.head(tokens).transpose(1, 2).unflatten(2, x.shape[2:])


class ToyVae(nn.Module):
    """Averages cells of 2 frames x 4x4 pixels, but for the first frame, which is alone; colours become 8 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.to_latents, self.to_pixels = (
            nn.Linear(3, CHANNELS, bias=False),
            nn.Linear(CHANNELS, 3, bias=False),
        )

    def encode(self, video: Tensor) -> Tensor:
        paired = torch.cat([video[:, :1], video], dim=1)
        cells = F.avg_pool3d(paired[None], (FRAMES, CELL_PX, CELL_PX))[0]
        return self.to_latents(cells.movedim(0, -1)).movedim(-1, 0)

    def decode(self, latents: Tensor) -> Tensor:
        cells = self.to_pixels(latents.movedim(0, -1)).movedim(-1, 0)
        frames = cells.repeat_interleave(FRAMES, dim=1)[:, 1:]
        return frames.repeat_interleave(CELL_PX, dim=2).repeat_interleave(CELL_PX, dim=3).clamp(-1, 1)

    def work_in_tiles(self, is_tiled: bool) -> None:
        """It has no tiles."""


def drawn() -> tuple[ToyTransformer, ToyVae]:
    """Models with weights that are the same each time; the VAE gives back the colours of cells."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        transformer, vae = ToyTransformer(), ToyVae()
        with torch.no_grad():
            vae.to_pixels.weight.copy_(torch.linalg.pinv(vae.to_latents.weight))
    return transformer.eval().requires_grad_(False), vae.eval().requires_grad_(False)
