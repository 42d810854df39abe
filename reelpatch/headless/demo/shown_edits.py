"""The clip that the demo's templates open with, and the edits of it that README, notes and cards show.

Every one of them is done with each of the seeds 1 to 5 (`pytest tests/unit/demo/test_shown_edits.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reelpatch.headless.demo import scenes
from reelpatch.headless.demo.scenes import Example, Scene, Thing

CIRCLE = Thing("circle", "red", 10.8, (14.6, 44.0), (0.8, -0.6))
SQUARE = Thing("square", "green", 10.5, (48.0, 26.0), (-0.3, 0.5))
SCENE = Scene((CIRCLE, SQUARE), ((0.79, 0.86, 0.82), (0.85, 0.80, 0.80)))


@dataclass(frozen=True)
class ShownEdit:
    """An instruction and what it asks for, in the judge's words."""

    instruction: str
    kind: str
    value: str = ""
    thing: Thing = CIRCLE

    def example(self) -> Example:
        """The edit as a judge takes it, on all of the clip."""
        source = scenes.render(SCENE)
        whole = np.ones(source.shape[:3], np.float32)
        is_of_thing = self.kind in ("recolour", "remove")
        return Example(
            seed=0,
            kind=self.kind,
            value=self.value,
            mask_kind="none",
            wordings=(self.instruction,),
            instruction=self.instruction,
            source=source,
            target=scenes.edited(SCENE, self.kind, self.value, self.thing),
            mask=whole,
            region=scenes.coverage(self.thing) if is_of_thing else 0 * whole,
            num_things=len(SCENE.things),
            kept=source,
        )


SHOWN_EDITS = (
    ShownEdit("make the red circle blue", "recolour", "blue"),
    ShownEdit("make the green square pink", "recolour", "pink", SQUARE),
    ShownEdit("remove the green square", "remove", thing=SQUARE),
    ShownEdit("change the background to a night sky", "background", "night"),
    ShownEdit("make it sepia", "style", "sepia"),
    ShownEdit("make it grayscale", "style", "grayscale"),
)
