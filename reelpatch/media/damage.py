"""What of a clip came through hurt: counted while it is decoded, then refused or, where that was asked for, said."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from reelpatch.errors import BadInput

_log = logging.getLogger(__name__)


@dataclass
class Damage:
    """The hurt frames of one clip, known by when they are shown, and how many could not be decoded at all.

    `is_accepted` is None where nobody can be asked to accept it.
    """

    path: Path
    is_accepted: bool | None = None
    hurt: set[int] = field(default_factory=set)
    num_lost: int = 0

    def judge(self) -> None:
        """Says what was found, once all was decoded.

        Raises: `BadInput` for damage that was not accepted.
        """
        found = self._found()
        if not found:
            return
        if self.is_accepted is None:
            raise BadInput(f"{self.path} is damaged: {found}; get a whole copy.")
        if not self.is_accepted:
            raise BadInput(
                f"{self.path} is damaged: {found}; get a whole copy, or accept the damage, and the frames are edited as "
                "they decode.",
                setting="accept_damage",
            )
        _log.warning("%s is damaged: %s; they are edited as they decode.", self.path, found)

    def _found(self) -> str:
        parts = []
        if self.hurt:
            parts.append(f"{_frames(len(self.hurt))} decoded with errors")
        if self.num_lost:
            parts.append(f"{_frames(self.num_lost)} could not be decoded at all")
        return " and ".join(parts)


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count != 1)}"
