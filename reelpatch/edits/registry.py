"""The kinds of edits that are known, by name: one line for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reelpatch.edits.kind import EditKind
from reelpatch.families.registry import Registry

if TYPE_CHECKING:
    from reelpatch.edits.work import EditWork

EDIT_KINDS = Registry(
    "kind of edit",
    EditKind,
    {
        "vace": ("reelpatch.edits.vace.kind", "VACE"),
        "canvas": ("reelpatch.edits.canvas.kind", "CANVAS"),
        "segments": ("reelpatch.edits.segments.kind", "SEGMENTS"),
        "adapter": ("reelpatch.edits.adapter.kind", "ADAPTER"),
        "channels": ("reelpatch.edits.channels.kind", "CHANNELS"),
        "reasoning": ("reelpatch.edits.reasoning.kind", "REASONING"),
        "enhance": ("reelpatch.edits.enhance.kind", "ENHANCE"),
        "sharing": ("reelpatch.edits.sharing.kind", "SHARING"),
    },
)


def start_work(kind: str) -> EditWork:
    """What does the work of the kind of that name; it and what it needs are imported now."""
    return EDIT_KINDS.find(kind).start_work()
