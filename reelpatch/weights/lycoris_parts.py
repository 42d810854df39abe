"""Of which parts a LoHa or LoKr of one layer is made, told from their names and shapes alone.

Source: LyCORIS 3 (`modules/loha.py`, `modules/lokr.py`), read by the same rules as ComfyUI's `weight_adapter`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, ...]
Method = Literal["LoHa", "LoKr"]

# The parts of the first and of the second matrix: whole, or as the two factors of a product.
NAMES: dict[Method, tuple[str, str]] = {"LoHa": ("hada_w1", "hada_w2"), "LoKr": ("lokr_w1", "lokr_w2")}
PARTS = frozenset(
    f"{name}{half}"
    for method, both in NAMES.items()
    for name in both
    for half in (("_a", "_b") if method == "LoHa" else ("", "_a", "_b"))
)


@dataclass(frozen=True)
class Layout:
    """Which parts a layer has: `first` and `second` name one part (a whole matrix) or two (the factors of one)."""

    method: Method
    first: tuple[str, ...]
    second: tuple[str, ...]
    shape: tuple[int, int]
    rank: int | None
    """Of the factors; None where both matrices are whole, and then alpha changes nothing."""

    @classmethod
    def of(cls, shapes: Mapping[str, Shape]) -> "Layout | str":
        """The layout that these parts, by name, make up; or why they make up none, as a clause."""
        method: Method = "LoHa" if any(part.startswith("hada") for part in shapes) else "LoKr"
        groups = [_group(name, shapes) for name in NAMES[method]]
        used = {part for group in groups for part in group}
        extra = sorted(shapes.keys() - used)
        if not all(groups) or extra:
            found = ", ".join(sorted(shapes))
            return f"its parts {found} are not those of a {method}: one is missing or too many"
        sizes = [_matrix(group, shapes) for group in groups]
        ranks = {shapes[group[1]][0] for group in groups if len(group) > 1 and shapes[group[1]]}
        if None in sizes or len(ranks) > 1 or 0 in ranks:
            return f"its shapes {', '.join(f'{part} {shapes[part]}' for part in sorted(shapes))} do not go together"
        (rows, columns), (other_rows, other_columns) = (size for size in sizes if size is not None)
        if method == "LoHa" and (rows, columns) != (other_rows, other_columns):
            return f"its two matrices are {rows}x{columns} and {other_rows}x{other_columns}, which a LoHa's are not"
        shape = (rows, columns) if method == "LoHa" else (rows * other_rows, columns * other_columns)
        return cls(method, groups[0], groups[1], shape, next(iter(ranks), None))


def _group(name: str, shapes: Mapping[str, Shape]) -> tuple[str, ...]:
    halves = (f"{name}_a", f"{name}_b")
    if all(half in shapes for half in halves) and name not in shapes:
        return halves
    return (name,) if name in shapes else ()


def _matrix(group: tuple[str, ...], shapes: Mapping[str, Shape]) -> tuple[int, int] | None:
    """Rows and columns of a matrix that lies there whole or as two factors; None for what is no matrix."""
    sizes = [shapes[part] for part in group]
    if any(len(size) != 2 or 0 in size for size in sizes):
        return None
    if len(sizes) == 2 and sizes[0][1] != sizes[1][0]:
        return None
    return sizes[0][0], sizes[-1][1]
