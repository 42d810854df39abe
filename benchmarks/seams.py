"""How far tiles of the VAE show: `python -m benchmarks.seams`.

The demo's VAE over held-out scenes enlarged beyond a tile, whole and in tiles. At every line where an overlap of tiles begins or
ends, the change from pixel to pixel across it is divided by that of the same line made whole, and by the median over all lines of
the clip. The bar is the project's own.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from reelpatch.clips.frames import as_clip, as_video
from reelpatch.families.counts import Tiles
from reelpatch.headless.demo import scenes
from reelpatch.headless.models.wan_vae import Vae, load_vae
from reelpatch.measure.likeness import psnr

PATH = Path(__file__).parents[1] / "reelpatch/headless/demo/models/vae/reelpatch_demo_vae.safetensors"
BAR = 1.05


def enlarged(number: int, side_px: int, frames: int) -> Tensor:
    """A held-out scene [F, side, side, 3] in [0, 1]."""
    source = torch.from_numpy(scenes.example(scenes.HELD_OUT + number).source[:frames]).permute(0, 3, 1, 2)
    return torch.nn.functional.interpolate(source, size=(side_px, side_px), mode="bilinear").permute(
        0, 2, 3, 1
    )


def both_ways(vae: Vae, clip: Tensor) -> tuple[Tensor, Tensor]:
    """The clip through the VAE whole, and in tiles."""
    made: list[Tensor] = []
    for is_tiled in (False, True):
        vae.work_in_tiles(is_tiled)
        made.append(as_clip(vae.decode(vae.encode(as_video(clip))).cpu()))
    return made[0], made[1]


def seams(clip: Tensor) -> Iterator[tuple[int, int]]:
    """(axis, line) where an overlap begins or ends: between the pixel before that line and the one on it."""
    for axis in (1, 2):
        tiles = Tiles.along(clip.shape[axis])
        ends = (start + tiles.length_px for start in tiles.starts[:-1])
        yield from ((axis, line) for line in (*tiles.starts[1:], *ends))


def change_at(clip: Tensor, axis: int) -> Tensor:
    """The mean change across each line between pixels."""
    return clip.diff(dim=axis).abs().mean(dim=[other for other in range(4) if other != axis])


def measure(clips: int, side_px: int, frames: int, device: torch.device | str = "cpu") -> dict[str, float]:
    """Over all seams of all clips: the change against that of the whole picture, and of both against the clip's median change."""
    vae = load_vae(PATH, device=device)
    pairs = [both_ways(vae, enlarged(number, side_px, frames)) for number in range(clips)]
    sums = {"tiled": 0.0, "whole": 0.0}
    against_median: dict[str, list[float]] = {name: [] for name in sums}
    for whole, tiled in pairs:
        for axis, line in seams(whole):
            for name, made in (("tiled", tiled), ("whole", whole)):
                changes = change_at(made, axis)
                sums[name] += float(changes[line - 1])
                against_median[name].append(float(changes[line - 1] / changes.median()))
    return {
        "against_whole": sums["tiled"] / sums["whole"],
        "tiled_against_median": statistics.fmean(against_median["tiled"]),
        "whole_against_median": statistics.fmean(against_median["whole"]),
        "psnr_db": statistics.fmean(psnr(tiled, whole) for whole, tiled in pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--side", type=int, default=448, metavar="PX")
    parser.add_argument("--frames", type=int, default=5)
    options = parser.parse_args()
    found = measure(options.clips, options.side, options.frames)
    sys.stdout.write(
        f"seams: {found['against_whole']:.3f} of the change of a whole picture at the same lines, bar {BAR}: "
        f"{'met' if found['against_whole'] <= BAR else 'NOT met'}; against the clip's median change "
        f"{found['tiled_against_median']:.2f}, whole {found['whole_against_median']:.2f}; {found['psnr_db']:.1f} dB to the whole\n"
    )


if __name__ == "__main__":
    main()
