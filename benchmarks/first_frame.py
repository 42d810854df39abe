"""Whether a clip follows its first frame: the demo's edits on held-out scenes, with frame 0 given as edited, and without.

`python -m benchmarks.first_frame --clips 100`: an edit counts where every frame behind the first has it, by the demo's own judge.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

import numpy as np
import torch

from reelpatch.clips.given_frame import GivenFrame
from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.judge import judge
from reelpatch.headless.demo.scenes import Example, Frames
from reelpatch.headless.editor import Editor
from reelpatch.recipes import recipe

FIRST_SEED = scenes.HELD_OUT + 1000


def is_in_every_frame(example: Example, result: Frames) -> bool:
    """Whether the edit is there in each frame behind the first that shows what is edited."""
    for frame in range(1, len(result)):
        if example.region.any() and not (example.region[frame] > 0.99).any():
            continue
        mask = np.zeros_like(example.mask)
        mask[frame] = 1
        if not judge(replace(example, mask=mask), result).hit:
            return False
    return True


def measure(num_clips: int) -> dict[str, dict[str, float]]:
    """The share of clips whose every frame is edited, by kind of edit, with the picture and without."""
    settings = recipe("demo")
    editor = Editor(settings)
    hits: dict[str, list[tuple[bool, bool]]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + num_clips):
        example = scenes.example(seed, mask_kind="none")
        clip = torch.from_numpy(example.source)
        given = GivenFrame(torch.from_numpy(example.target[0]), settings.held_frames)
        held, mask = given.put(clip, None)
        followed = editor.edit(held, example.instruction, mask=mask, times_in_result=False)[given.lead :]
        alone = editor.edit(clip, example.instruction)
        verdict = (is_in_every_frame(example, followed.numpy()), is_in_every_frame(example, alone.numpy()))
        hits.setdefault(example.kind, []).append(verdict)
    hits["all"] = [one for kind in list(hits.values()) for one in kind]
    return {
        kind: {
            "clips": len(found),
            "with_picture": round(sum(one for one, _ in found) / len(found), 3),
            "without": round(sum(one for _, one in found) / len(found), 3),
        }
        for kind, found in hits.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=100)
    sys.stdout.write(f"{json.dumps(measure(parser.parse_args().clips), indent=1)}\n")
