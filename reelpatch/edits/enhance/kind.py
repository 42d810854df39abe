"""The kind of edit that goes over a finished clip: noised a little, and denoised again."""

from reelpatch.edits.kind import EditKind

ENHANCE = EditKind(
    name="enhance",
    families=("wan",),
    needs=frozenset(),
    work=("reelpatch.edits.enhance.work", "EnhanceWork"),
    is_instructed=False,
    clip_encodes=1,
)
