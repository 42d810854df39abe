"""Key names of one model in another naming, read from a table of paths."""

import re
from collections.abc import Container
from dataclasses import dataclass, field

_PARAMETERS = ("weight", "bias", "gamma")
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


@dataclass(frozen=True)
class Naming:
    """A table of names, looked up in one direction: call it with a key or a layer's path.

    Raises: `KeyError` for a name that is not in the table.
    """

    rows: dict[str, str] = field(repr=False)

    def __call__(self, key: str) -> str:
        renamed = self._path(key)
        if renamed is not None:
            return renamed
        path, _, parameter = key.rpartition(".")
        renamed = self._path(path) if parameter in _PARAMETERS else None
        if renamed is None:
            raise KeyError(key)
        return f"{renamed}.{parameter}"

    def _path(self, path: str) -> str | None:
        if path in self.rows:
            return self.rows[path]
        # The first number is the block's; the further ones belong to the layer's own name.
        number = _NUMBER.search(path)
        if number is None:
            return None
        renamed = self.rows.get(f"{path[: number.start()]}#{path[number.end() :]}")
        return None if renamed is None else renamed.replace("#", number[0])


def both_ways(rows: tuple[tuple[str, str], ...]) -> tuple[Naming, Naming]:
    return Naming(dict(rows)), Naming({other: native for native, other in rows})


@dataclass(frozen=True)
class KeyTable:
    """How files in one naming of a family are renamed: files that have all `keys`, without wrapper prefixes.

    `rename` makes native names, None where they are native but for what is `left_off` in front.
    """

    naming: str
    keys: tuple[str, ...]
    rename: Naming | None
    left_off: str = ""

    def fits(self, keys: Container[str]) -> bool:
        return all(key in keys for key in self.keys)

    def native(self, key: str) -> str:
        """The native name of a key; one that is not in the table stands for itself."""
        if self.rename is None:
            return key.removeprefix(self.left_off)
        try:
            return self.rename(key)
        except KeyError:
            return key
