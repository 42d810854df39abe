"""The kind of edit that changes a single picture, as the last frame of a short film, with or without the way there."""

from reelpatch.edits.kind import EditKind

REASONING = EditKind(
    name="reasoning",
    families=("wan",),
    needs=frozenset(),
    work=("reelpatch.edits.reasoning.work", "ReasoningWork"),
    is_instructed=True,
    clip_encodes=1,
)
