"""Keys that only one sort of weight file has, as data."""

from collections.abc import Mapping
from dataclasses import dataclass

from reelpatch.families.kinds import FileKind
from reelpatch.families.tensor_info import TensorInfo


@dataclass(frozen=True)
class Mark:
    """What a file is that has all `keys`, the first of them with this size in its shape, where one is given."""

    kind: FileKind
    name: str
    keys: tuple[str, ...]
    axis: int = 0
    size: int | None = None

    def fits(self, tensors: Mapping[str, TensorInfo]) -> bool:
        if any(key not in tensors for key in self.keys):
            return False
        shape = tensors[self.keys[0]].shape
        return self.size is None or (len(shape) > self.axis and shape[self.axis] == self.size)
