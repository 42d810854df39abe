"""The kind of edit that ReCo is: VACE on a picture twice as wide, the source at the left, the clip that is made at the right."""

from reelpatch.edits.capability import Capability
from reelpatch.edits.kind import EditKind

CANVAS = EditKind(
    name="canvas",
    families=("wan",),
    needs=frozenset({Capability.ADD_AFTER_BLOCK}),
    work=("reelpatch.edits.canvas.work", "CanvasWork"),
    is_instructed=True,
    clip_encodes=2,  # what is kept, and what is made
    module=("reelpatch.edits.vace.counts", "VaceCounts"),
    widths=2,
)
