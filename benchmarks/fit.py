"""Padding to a square against `area`, on clips that are none: `python -m benchmarks.fit --clips 24`.

A clip is a band of one of the demo's held-out scenes with all of its things in it, four times as large. Of 64x64 pixels, which is
all that the demo's model has ever seen, 16:9 has 64x36 where it is padded, and is worked on at 80x48 by area. `--square 80` is
a size that it has not seen: 80x45 of 80x80, or 80x48. Results are judged at the scale of the scene, against the true result: edits
done, PSNR, the edges that are kept, and how far the mean colour wanders over the clip.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from reelpatch.clips.frames import Method, plan_fit
from reelpatch.families.wan.family import WAN
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import judge, kept_edges, psnr_db
from reelpatch.headless.demo.scenes import Example, Frames
from reelpatch.headless.editor import Editor
from reelpatch.measure.drift import colour_drift, colour_offset
from reelpatch.recipes import recipe

FIRST_SEED = scenes.HELD_OUT + 4_000_000
ENLARGED = 4
METHODS: tuple[Method, ...] = ("pad", "area")
BANDS = {
    "16:9": (36, 64),
    "9:16": (64, 36),
    "4:3": (48, 64),
    "3:4": (64, 48),
}  # rows and columns of the scene
KINDS = ("recolour", "remove", "style")
MARGIN_PX = 2


@dataclass(frozen=True)
class Figures:
    """What one result is worth. Units: dB; `drift` in levels of 255."""

    done: float
    psnr_db: float
    kept_edges: float | None
    drift: float


def bands(size: tuple[int, int]) -> Iterator[Example]:
    """Held-out scenes cut to `size`, those in which everything that moves has room."""
    seed = FIRST_SEED
    while True:
        whole = scenes.example(seed, kind=KINDS[seed % len(KINDS)], mask_kind="none")
        seed += 1
        # The background of a scene is the same all along a row, and nothing touches its left edge.
        moving = (np.abs(whole.source - whole.source[:, :, :1]).max(-1) > 0.01).any(0)
        cuts: list[slice] = []
        for axis, length in enumerate(size):
            (where,) = np.nonzero(moving.any(1 - axis))
            first, end = int(where[0]), int(where[-1]) + 1
            start = min(max(0, (first + end - length) // 2), scenes.SIZE_PX - length)
            if length < scenes.SIZE_PX and (first - MARGIN_PX < start or end + MARGIN_PX > start + length):
                break
            cuts.append(slice(start, start + length))
        else:
            yield _cut(whole, *cuts)


def _cut(whole: Example, rows: slice, columns: slice) -> Example:
    names = ("source", "target", "mask", "region", "kept")
    return replace(whole, **{name: getattr(whole, name)[:, rows, columns] for name in names})


def scaled(frames: Frames, size: tuple[int, int]) -> Frames:
    """[F, H, W, 3] -> [F, *size, 3], smoothed as it shrinks."""
    planes = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    resized = F.interpolate(planes, size=size, mode="bicubic", antialias=True)
    return resized.permute(0, 2, 3, 1).clamp(0, 1).numpy()


def edit(editor: Editor, example: Example, method: Method, square: int) -> Frames:
    """The edited clip at the scale of the scene."""
    height, width = example.source.shape[1:3]
    clip = scaled(example.source, (ENLARGED * height, ENLARGED * width))
    plan = plan_fit(*clip.shape[:3], lattice=WAN.lattice, size=(square, square), method=method)
    edited = editor.render(torch.from_numpy(clip), example.instruction, seed=example.seed, plan=plan)
    return scaled(edited.numpy(), (height, width))


def figures(example: Example, result: Frames) -> Figures:
    everywhere = np.ones(result.shape[:3], np.bool_)
    pairs = zip(torch.from_numpy(result), torch.from_numpy(example.target), strict=True)
    drift = colour_drift(torch.stack([colour_offset(*pair) for pair in pairs]))
    assert drift is not None
    return Figures(
        float(judge(example, result).hit),
        psnr_db(result, example.target, everywhere),
        kept_edges(result, example.target, everywhere),
        drift.largest,
    )


def mean(found: list[Figures]) -> dict[str, float]:
    edges = [one.kept_edges for one in found if one.kept_edges is not None]
    return {
        "done": round(fmean(one.done for one in found), 3),
        "psnr_db": round(fmean(one.psnr_db for one in found), 2),
        "kept_edges": round(fmean(edges), 3),
        "drift_levels": round(fmean(one.drift for one in found), 2),
    }


def run(
    num_clips: int, aspects: Sequence[str], square: int, sheet: Path | None
) -> dict[str, dict[str, dict[str, float]]]:
    """Mean figures by aspect and fit, over `num_clips` of each aspect; some of the frames go onto the sheet."""
    editor = Editor(recipe("demo"))
    table: dict[str, dict[str, dict[str, float]]] = {}
    found: dict[str, list[Figures]] = {method: [] for method in METHODS}
    for aspect in aspects:
        size = BANDS[aspect]
        of_aspect: dict[str, list[Figures]] = {method: [] for method in METHODS}
        rows: list[Frames] = []
        for number, example in zip(range(num_clips), bands(size), strict=False):
            results = {method: edit(editor, example, method, square) for method in METHODS}
            for method, result in results.items():
                of_aspect[method].append(figures(example, result))
            shown = [example.source, example.target, *results.values()]
            rows.append(np.concatenate([one[len(one) // 2] for one in shown], axis=1))
            sys.stderr.write(f"\r{aspect} {number + 1}/{num_clips}")
        table[aspect] = {method: mean(one) for method, one in of_aspect.items()}
        sys.stderr.write(f"\r{aspect} {table[aspect]}\n")
        for method in METHODS:
            found[method] += of_aspect[method]
        if sheet is not None:
            picture = (np.concatenate(rows[:8]) * 255).round().astype(np.uint8)
            large = picture.repeat(3, axis=0).repeat(3, axis=1)
            Image.fromarray(large).save(sheet.with_stem(f"{sheet.stem}_{size[1]}x{size[0]}"))
    table["all"] = {method: mean(one) for method, one in found.items()}
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=24, help="of each aspect")
    parser.add_argument("--aspects", nargs="+", choices=BANDS, default=list(BANDS))
    parser.add_argument(
        "--square", type=int, default=scenes.SIZE_PX, help="side asked for, in pixels (%(default)s)"
    )
    parser.add_argument("--sheet", type=Path, help="a PNG for each aspect: source, truth, padded, by area")
    options = parser.parse_args()
    report = run(options.clips, options.aspects, options.square, options.sheet)
    sys.stdout.write(
        json.dumps({"clips": options.clips, "square": options.square, **report}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
