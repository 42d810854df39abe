"""The demo's enhancer on clips that were made to flicker: `python -m benchmarks.enhance --clips 50`.

Every clip is a held-out scene of the demo, whose frames are then lit differently at random: each frame and channel gets a
gain and an offset of its own. Flicker is the warp error of `reelpatch measure`, in levels of 255, and PSNR is that to the
scene before it flickered. The VAE's line is what encoding and decoding alone do to both.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from reelpatch.clips.bytes_and_floats import to_bytes, to_floats
from reelpatch.clips.frames import as_clip, as_video
from reelpatch.headless.demo import scenes
from reelpatch.headless.enhancer import Enhancer
from reelpatch.measure.likeness import psnr
from reelpatch.measure.measures import measure
from reelpatch.media.video_io import Frames
from reelpatch.recipes import recipe

FIRST_SEED = scenes.HELD_OUT + 2_000_000


def flickering(clip: Frames, seed: int, strength: float) -> Frames:
    """The clip [F, H, W, 3] with random light: gains and offsets of a deviation `strength`, in parts of full scale."""
    generator = np.random.default_rng(seed)
    gain, offset = generator.normal(0, strength, (2, len(clip), 1, 1, 3))
    lit = clip / 255 * (1 + gain) + offset
    return (lit.clip(0, 1) * 255).round().astype(np.uint8)


def figures(clean: Frames, clip: Frames) -> tuple[float, float]:
    """(flicker in levels of 255, PSNR in dB) of a clip."""
    flicker = measure(clean, clip).flicker
    assert flicker is not None
    assert flicker.after is not None
    return flicker.after, psnr(to_floats(clip), to_floats(clean))


def clean_clip(number: int) -> Frames:
    """A held-out scene of the demo, unedited."""
    return to_bytes(torch.from_numpy(scenes.example(FIRST_SEED + number).source))


def through_vae(enhancer: Enhancer, clip: Tensor) -> Tensor:
    return as_clip(enhancer.vae.decode(enhancer.vae.encode(as_video(clip))))


def run(
    num_clips: int, strength: float, steps: Sequence[int], models: Path | None
) -> dict[str, dict[str, float]]:
    """Mean figures of each way to treat the flickering clips; `enhanced N` takes the last N steps."""
    settings = recipe("demo-enhance")
    enhancers = {
        f"enhanced {count}": Enhancer(replace(settings, start_step=settings.steps - count), models)
        for count in steps
    }
    first = next(iter(enhancers.values()))
    rows: dict[str, list[tuple[float, float]]] = {}
    for number in range(num_clips):
        clean = clean_clip(number)
        clip = to_floats(flickering(clean, number, strength))
        made = {"clean": to_floats(clean), "flickering": clip, "VAE alone": through_vae(first, clip)}
        made |= {name: one.enhance(clip, seed=number) for name, one in enhancers.items()}
        for name, frames in made.items():
            rows.setdefault(name, []).append(figures(clean, to_bytes(frames)))
        sys.stderr.write(f"\r{number + 1}/{num_clips}")
    before = fmean(flicker for flicker, _ in rows["flickering"])
    table: dict[str, dict[str, float]] = {}
    for name, found in rows.items():
        flicker = fmean(one for one, _ in found)
        quality = [one for _, one in found]
        table[name] = {"flicker": round(flicker, 3), "less_flicker": round(1 - flicker / before, 3)}
        if name != "clean":
            table[name] |= {"psnr_db": round(fmean(quality), 2), "worst_psnr_db": round(min(quality), 2)}
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--strength", type=float, nargs="+", default=[0.06])
    parser.add_argument("--steps", type=int, nargs="+", default=[recipe("demo-enhance").num_run_steps])
    parser.add_argument("--models", type=Path, help="models folder; else the weights that come along")
    options = parser.parse_args()
    report = {
        f"strength {strength:g}": run(options.clips, strength, options.steps, options.models)
        for strength in options.strength
    }
    sys.stdout.write(json.dumps({"clips": options.clips, **report}, indent=1) + "\n")


if __name__ == "__main__":
    main()
