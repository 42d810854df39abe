"""What headless makes with its first steps at half the size, by the demo's weights: for ComfyUI to equal."""

from __future__ import annotations

from pathlib import Path

import torch

from reelpatch.headless.demo import scenes
from reelpatch.headless.editor import Editor
from reelpatch.recipes import recipe

FILE = "half_size_reference.pt"
INSTRUCTION, SEED, STEPS, GUIDANCE = "make it sepia", 3, 2, 1.2


def write(folder: Path) -> None:
    """A clip of one window and its edits [F, H, W, 3], with and without steps at half the size, below `folder`."""
    clip = torch.from_numpy(scenes.example(scenes.HELD_OUT).source)
    settings = recipe("demo").guided(GUIDANCE, 1)
    editor = Editor(settings)
    half, full = (
        editor.under(one).edit(clip, INSTRUCTION, seed=SEED)
        for one in (settings.begun_at_half_size(STEPS), settings)
    )
    torch.save({"clip": clip, "half": half, "full": full}, folder / FILE)
