"""The kinds of edits that are known, by name: one line for each."""

from reelpatch.edits.kind import EditKind
from reelpatch.families.registry import Registry

EDIT_KINDS = Registry(
    "kind of edit",
    EditKind,
    {
        "vace": ("reelpatch.edits.vace.kind", "VACE"),
        "segments": ("reelpatch.edits.segments.kind", "SEGMENTS"),
        "reasoning": ("reelpatch.edits.reasoning.kind", "REASONING"),
        "enhance": ("reelpatch.edits.enhance.kind", "ENHANCE"),
    },
)
