"""The kind of edit that puts the source clip's tokens beside those of the clip that is made."""

from reelpatch.edits.capability import Capability
from reelpatch.edits.kind import EditKind

SEGMENTS = EditKind(
    name="segments",
    families=("wan",),
    needs=frozenset({Capability.BRING_TOKENS}),
    work=("reelpatch.edits.segments.work", "SegmentsWork"),
    is_instructed=True,
    clip_encodes=1,
)
