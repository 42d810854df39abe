"""The kind of edit that VACE, Ditto and VDOT are: hints of an edit module that reads the clip."""

from reelpatch.edits.capability import Capability
from reelpatch.edits.kind import EditKind

VACE = EditKind(
    name="vace",
    families=("wan",),
    needs=frozenset({Capability.ADD_AFTER_BLOCK}),
    work=("reelpatch.edits.vace.work", "VaceWork"),
    is_instructed=True,
    clip_encodes=2,  # what is kept, and what is edited
    module=("reelpatch.edits.vace.counts", "VaceCounts"),
    keeps_frames=True,
)
