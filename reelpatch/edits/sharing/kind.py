"""The kind of edit that makes a clip beside another one, from whose self-attention it reads."""

from reelpatch.edits.capability import Capability
from reelpatch.edits.kind import EditKind

SHARING = EditKind(
    name="sharing",
    families=("wan",),
    needs=frozenset({Capability.REPLACE_KEYS_VALUES}),
    work=("reelpatch.edits.sharing.work", "SharingWork"),
    is_instructed=True,
    clip_encodes=1,
)
