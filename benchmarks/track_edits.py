"""Whether the demo edits where and when a mask track says: `python -m benchmarks.track_edits [SCENES OF EACH KIND]`.

Held-out scenes with tracks that start, end, follow a thing in a box, or wipe across the picture; beside them, the source handed
back and the truth through the VAE. A start between latent frames (frames 1-4 and 5-8 share one) is counted by itself.
"""

import sys
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import torch

from benchmarks import results
from reelpatch.clips.finish import paste_back
from reelpatch.clips.frames import as_clip, as_video
from reelpatch.clips.mask_track.moments import Moments
from reelpatch.clips.mask_track.records import Box, Envelope, Keyframe, MaskTrack, Region, Whole, Wipe
from reelpatch.clips.mask_track.render import TrackRenderer
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import judge
from reelpatch.headless.demo.scenes import Example
from reelpatch.headless.editor import Editor
from reelpatch.headless.models.wan_vae import load_vae
from reelpatch.recipes import recipe

BAR = 0.85
FIRST_SEED = scenes.HELD_OUT + 10_000  # scenes that the demo's own evaluation has not seen
MOMENTS = Moments(scenes.NUM_FRAMES, Fraction(scenes.FPS))
SIZE = (scenes.SIZE_PX, scenes.SIZE_PX)
Kept = dict[str, list[bool]]


def starts(_draw: Random, _example: Example) -> Region:
    """From frame 5 on, where a latent frame begins."""
    return Region(Whole(), envelope=Envelope(start=Fraction(5)))


def ends(_draw: Random, _example: Example) -> Region:
    """Up to frame 4, where a latent frame ends."""
    return Region(Whole(), envelope=Envelope(end=Fraction(5)))


def starts_between(draw: Random, _example: Example) -> Region:
    """From within a latent frame on."""
    return Region(Whole(), envelope=Envelope(start=Fraction(draw.choice((2, 3, 4, 6, 7)))))


def follows(_draw: Random, example: Example) -> Region:
    """A box around what is edited, by two keyframes."""
    keys: list[Keyframe] = []
    for frame in (0, scenes.NUM_FRAMES - 1):
        rows, columns = np.nonzero(example.region[frame] > 0.01)
        low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
        position = (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2)
        keys.append(
            Keyframe(Fraction(frame), position, (float(high[0] - low[0]) + 8, float(high[1] - low[1]) + 8))
        )
    return Region(Box((0, 0), (1, 1)), keyframes=tuple(keys))


def wipes(draw: Random, _example: Example) -> Region:
    """Across the picture from a side, within the clip."""
    direction = draw.choice((0, 90, 180, 270))
    return Region(Whole(), envelope=Envelope(Fraction(0), Wipe(Fraction(scenes.NUM_FRAMES - 1), direction)))


KINDS = {
    "starts": starts,
    "ends": ends,
    "moving box": follows,
    "wipe": wipes,
    "starts between latent frames": starts_between,
}


def tracked(seed: int, kind: str) -> Example:
    """The held-out scene of a seed with the mask of a track of the kind, and the truth that goes with it."""
    thing = ("recolour", "remove")[seed % 2] if kind == "moving box" else None
    example = scenes.example(seed, mask_kind="none", kind=thing)
    region = KINDS[kind](Random(seed), example)
    track = MaskTrack(1, "pixels", "frames", (region,))
    mask = TrackRenderer(track, SIZE, MOMENTS).part(0, scenes.NUM_FRAMES).numpy()
    target = mask[..., None] * example.target + (1 - mask[..., None]) * example.source
    return replace(example, mask=mask, target=target.astype(np.float32), mask_kind="track")


def main() -> None:
    """Measures, and writes results/track_edits.json and .md."""
    each = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    editor = Editor(recipe("demo"))
    vae = load_vae(editor.files.vae)
    found: dict[str, Kept] = {}
    changed = 0
    for kind in KINDS:
        rows: Kept = defaultdict(list)
        for number in range(each):
            example = tracked(FIRST_SEED + number, kind)
            source, mask, target = (
                torch.from_numpy(part) for part in (example.source, example.mask, example.target)
            )
            edited = editor.edit(source, example.instruction, mask=mask, seed=example.seed)
            ceiling = paste_back(as_clip(vae.decode(vae.encode(as_video(target)))), source, mask)
            changed += int((edited[mask == 0] != source[mask == 0]).sum())
            for name, clip in (("done", edited), ("source copied", source), ("VAE ceiling", ceiling)):
                rows[name].append(judge(example, clip.numpy().astype(np.float32)).hit)
        found[kind] = rows
    rates = {
        kind: {name: sum(hits) / len(hits) for name, hits in rows.items()} for kind, rows in found.items()
    }
    on_latents = [hit for kind, rows in found.items() if "between" not in kind for hit in rows["done"]]
    overall = sum(on_latents) / len(on_latents)
    lines = ["# Mask tracks on the demo", "", f"{each} held-out scenes of each kind.", ""]
    lines += ["| track | done | source copied | VAE ceiling |", "|---|---|---|---|"]
    for kind, row in rates.items():
        lines.append(
            f"| {kind} | {row['done']:.2f} | {row['source copied']:.2f} | {row['VAE ceiling']:.2f} |"
        )
    lines += [
        "",
        f"All but the last row: {overall:.3f} of {len(on_latents)} (bar {BAR}). Values where the mask is 0 that differ from the "
        f"source: {changed}.",
    ]
    report = {
        "scenes_of_each": each,
        "kinds": rates,
        "done": overall,
        "bar": BAR,
        "kept_values_changed": changed,
    }
    path = results.write("track_edits", {"machine": results.machine(), **report}, lines)
    print(path.read_text(encoding="utf-8"))  # noqa: T201


if __name__ == "__main__":
    main()
