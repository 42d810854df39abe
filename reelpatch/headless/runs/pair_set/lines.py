"""The file that says which pairs are to be made: one JSON object on each line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from reelpatch.edits.instruction import check_instruction
from reelpatch.edits.sharing.schedule import SCHEDULES
from reelpatch.errors import BadInput
from reelpatch.headless.hosts.pair_maker import PairWords

_MOST_BYTES = 2**28
_SHOWN = 40
_KINDS: dict[str, type] = {
    "source": str,
    "target": str,
    "change": str,
    "onset": int,
    "noise": str,
    "seed": int,
    "instruction": str,
    "reverse": str,
}
_NEEDED = ("source", "target")
_NOISES = ("same", "own")
_MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class PairLine:
    """One pair that is to be made, and how its edit is said, there and back; empty where that is to be found."""

    words: PairWords
    instruction: str = ""
    reverse: str = ""

    def as_dict(self) -> dict[str, Any]:
        """In plain types."""
        return {**asdict(self.words), "instruction": self.instruction, "reverse": self.reverse}


def read_lines(path: Path, *, frames: int, seed: int) -> list[PairLine]:
    """The pairs of a file, in order; a pair without a seed has `seed` and its number in the file, counted from 0.

    Raises: `BadInput` naming the line, for what cannot be read or is no pair of clips of so many frames.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput(f"{path} is larger than {_MOST_BYTES // 2**20} MiB: cut it into several files.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"the file of pairs {path} cannot be read ({error.strerror}): check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"the file of pairs {path} is no text in UTF-8: save it as such.") from error
    numbered = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not numbered:
        raise BadInput(f"the file of pairs {path} has no line: write one JSON object for each pair.")
    return [
        _line(f"line {number} of {path}", line, frames=frames, seed=seed + index)
        for index, (number, line) in enumerate(numbered)
    ]


def _line(where: str, text: str, *, frames: int, seed: int) -> PairLine:
    values = _values(where, text)
    check_instruction(values["source"])
    check_instruction(values["target"])
    change, noise, onset = values.get("change", "local"), values.get("noise", "same"), values.get("onset", 0)
    if change not in SCHEDULES:
        raise BadInput(f"{where} has the change {change[:_SHOWN]!r}: use one of {', '.join(SCHEDULES)}.")
    if noise not in _NOISES:
        raise BadInput(f"{where} has the noise {noise[:_SHOWN]!r}: use same or own.")
    if not 0 <= onset < frames:
        raise BadInput(f"{where} has the onset {onset}, but its clips have the frames 0 to {frames - 1}.")
    seed = values.get("seed", seed)
    if not 0 <= seed <= _MAX_SEED:
        raise BadInput(f"{where} has the seed {seed}: use a whole number from 0 to {_MAX_SEED}.")
    words = PairWords(values["source"], values["target"], change, onset, noise == "same", seed)
    return PairLine(words, values.get("instruction", ""), values.get("reverse", ""))


def _values(where: str, text: str) -> dict[str, Any]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{where} is no JSON: write one object on each line, such as "
            '{"source": "a red ball", "target": "a blue ball", "change": "colour"}.'
        ) from error
    if not isinstance(found, dict):
        raise BadInput(f"{where} is no JSON object: write one in braces on each line.")
    values = cast(dict[str, Any], found)
    for name, value in values.items():
        if name not in _KINDS:
            raise BadInput(
                f"{where} has an unknown field {name[:_SHOWN]!r}: its fields are {', '.join(_KINDS)}."
            )
        if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
            kind = "a whole number" if _KINDS[name] is int else "a text"
            raise BadInput(f"the {name} of {where} is not {kind}: correct it.")
    for name in _NEEDED:
        if name not in values:
            raise BadInput(f"{where} has no {name}: a pair needs the captions source and target.")
    return values
