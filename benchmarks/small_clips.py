"""A small clip through the demo's VAE, as PyTorch takes it and by `small_clips`: `python -m benchmarks.small_clips`.

Prints medians of interleaved repeats and the median of their ratios, after comparing the results.
"""

import statistics
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.headless.models.wan_vae import Vae, load_vae

REPEATS = 12
PATH = Path(__file__).parents[1] / "reelpatch/headless/demo/models/vae/reelpatch_demo_vae.safetensors"


def timed(vae: Vae, video: Tensor) -> tuple[float, Tensor]:
    began = time.process_time()
    decoded = vae.decode(vae.encode(video))
    return time.process_time() - began, decoded


def main() -> None:
    fast, usual = load_vae(PATH), load_vae(PATH)
    for layer in usual.model.modules():
        vars(layer).pop("_conv_forward", None)
        vars(layer).pop("forward", None)
    video = torch.rand(3, 9, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.testing.assert_close(timed(fast, video)[1], timed(usual, video)[1], atol=1e-4, rtol=0)
    pairs = [(timed(fast, video)[0], timed(usual, video)[0]) for _ in range(REPEATS)]
    fast_s, usual_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(slow / quick for quick, slow in pairs)
    sys.stdout.write(f"small_clips {fast_s:.3f} s, usual {usual_s:.3f} s, ratio {ratio:.2f}\n")


if __name__ == "__main__":
    main()
