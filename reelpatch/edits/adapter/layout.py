"""Where an edit adapter's source, target and references lie in time, in the order `[source | target | reference]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from reelpatch.errors import BadInput

Positions = Literal["sequence", "aligned"]
POSITIONS_KEY = "reelpatch.adapter.positions"
"""File metadata: one of `Positions`."""


@dataclass(frozen=True)
class AdapterLayout:
    """Places in time of latent frames, counted as the target's are, which lie at 0, 1, 2 and so on.

    In `sequence`, the target goes on from the source and references from the target; `aligned`, the source lies on the target
    frame by frame, and references after both. As a rotary embedding knows differences of places alone, a source that begins
    before 0 is the same as a target that begins after it.
    """

    positions: Positions = "sequence"

    @classmethod
    def of(cls, metadata: Mapping[str, str], source: str) -> AdapterLayout:
        """The layout that the metadata of the file `source` say, `sequence` where they say nothing.

        Raises: `BadInput` for a value that no layout has.
        """
        found = metadata.get(POSITIONS_KEY, "sequence")
        for known in get_args(Positions):
            if found == known:
                return cls(known)
        raise BadInput(
            f"{source} says '{found}' under '{POSITIONS_KEY}' in its metadata, where {' or '.join(get_args(Positions))} was "
            "expected: correct the metadata (docs/files.md has the format)."
        )

    def source_times(self, frames: int) -> tuple[int, ...]:
        """Those of the source's latent frames, of which there are as many as the target has."""
        first = -frames if self.positions == "sequence" else 0
        return tuple(range(first, first + frames))

    def reference_time(self, frames: int, number: int) -> int:
        """That of reference `number`, counted from 0, behind a target of so many latent frames."""
        return frames + number
