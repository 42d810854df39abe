"""The kind of edit that Capybara is: the source's latents and a mask stand beside the channels of those that are made."""

from reelpatch.edits.capability import Capability
from reelpatch.edits.kind import EditKind

CHANNELS = EditKind(
    name="channels",
    families=("hunyuan-1.5",),
    needs=frozenset({Capability.CONDITION_BY_CHANNELS}),
    work=("reelpatch.edits.channels.work", "ChannelWork"),
    is_instructed=True,
    clip_encodes=1,
)
