from reelpatch.edits.capability import Capability
from reelpatch.edits.kind import EditKind

TOY = EditKind(
    name="toy",
    families=("wan", "toy"),
    needs=frozenset({Capability.ADD_AFTER_BLOCK}),
    work=("tests.toy_kind.work", "ToyWork"),
    is_instructed=True,
    clip_encodes=1,
)
