"""The kind of edit that EasyV2V is: source, mask and reference stand beside the clip by embeddings of their own."""

from reelpatch.edits.capability import Capability
from reelpatch.edits.kind import EditKind

ADAPTER = EditKind(
    name="adapter",
    families=("wan-5b", "wan"),
    needs=frozenset({Capability.BRING_TOKENS}),
    work=("reelpatch.edits.adapter.work", "AdapterWork"),
    is_instructed=True,
    clip_encodes=2,  # the clip and its mask
    module=("reelpatch.edits.adapter.counts", "AdapterCounts"),
    times_tokens=True,
)
