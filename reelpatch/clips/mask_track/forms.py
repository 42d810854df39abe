"""What the fields of a mask track may hold: how a value is taken, written as JSON, and told in a JSON Schema."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from fractions import Fraction
from typing import Any, Protocol, TypeVar, cast

from reelpatch.errors import BadInput

_EXACT = re.compile(r"-?\d{1,18}/\d{1,18}")
_MOST_TIME = 10**9
_MOST_SHOWN = 40
_SETTING = "mask"

Record = TypeVar("Record")


class Form(Protocol):
    """What one field may hold."""

    def take(self, value: Any, place: str) -> Any:
        """The value as records keep it, from JSON or from Python. Raises: BadInput naming the place."""
        ...

    def write(self, value: Any) -> Any:
        """The value in plain JSON types."""
        ...

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        ...


def refusal(place: str, value: Any, expected: str) -> BadInput:
    """The sentence for a value that does not belong where it stands."""
    return BadInput(
        f"the mask track has {_shown(value)} at {place}, where {expected} belongs: correct it.",
        setting=_SETTING,
    )


def misfit(problem: str) -> BadInput:
    """The sentence for values that do not go together."""
    return BadInput(f"the mask track does not go together: {problem}.", setting=_SETTING)


def held(form: Form, told: str) -> Mapping[str, Any]:
    """The metadata of a record's field: what it may hold, and what the schema tells of it."""
    return {"form": form, "told": told}


def forms_of(record: type[Any]) -> dict[str, Form]:
    """The forms of a record's fields, by name."""
    return {one.name: one.metadata["form"] for one in fields(record)}


def is_needed(one: "Field[Any]") -> bool:
    """Whether a field has to be there."""
    return one.default is MISSING


def settle(record: Any) -> None:
    """Called after a record was made: every field is taken as its form has it. Raises: BadInput naming the field."""
    for name, form in forms_of(type(record)).items():
        object.__setattr__(record, name, form.take(getattr(record, name), name))


@dataclass(frozen=True)
class Number:
    """A finite number between two others, as a float, or as an int where it counts."""

    least: float
    most: float
    is_count: bool = False

    def take(self, value: Any, place: str) -> float | int:
        is_number = isinstance(value, int) if self.is_count else isinstance(value, int | float)
        if isinstance(value, bool) or not is_number or not self.least <= value <= self.most:
            kind = "a whole number" if self.is_count else "a number"
            raise refusal(place, value, f"{kind} from {self.least:g} to {self.most:g}")
        return value if self.is_count else float(value)

    def write(self, value: Any) -> Any:
        return _plain(value)

    def schema(self) -> dict[str, Any]:
        kind = "integer" if self.is_count else "number"
        return {"type": kind, "minimum": _plain(self.least), "maximum": _plain(self.most)}


@dataclass(frozen=True)
class Time:
    """A moment or a length of time, exactly: a number, or "n/d" for what no decimal says."""

    least: int = -_MOST_TIME

    def take(self, value: Any, place: str) -> Fraction:
        found = _fraction(value)
        if found is None or not self.least <= found <= _MOST_TIME or found.denominator >= 10**18:
            raise refusal(
                place,
                value,
                f'a time from {self.least} to {_MOST_TIME}, as a number or exactly as text ("1001/30")',
            )
        return found

    def write(self, value: Fraction) -> Any:
        if value.denominator == 1:
            return value.numerator
        near = float(value)
        return near if Fraction(repr(near)) == value else f"{value.numerator}/{value.denominator}"

    def schema(self) -> dict[str, Any]:
        number = {"type": "number", "minimum": self.least, "maximum": _MOST_TIME}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{_EXACT.pattern}$"}]}


@dataclass(frozen=True)
class Choice:
    """One of several words or numbers."""

    options: tuple[Any, ...]

    def take(self, value: Any, place: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int) or value not in self.options:
            raise refusal(place, value, f"one of {', '.join(map(str, self.options))}")
        return value

    def write(self, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.options)}


@dataclass(frozen=True)
class Text:
    """Words of a limited length."""

    most: int

    def take(self, value: Any, place: str) -> str:
        if not isinstance(value, str) or len(value) > self.most:
            raise refusal(place, value, f"a text of at most {self.most} characters")
        return value

    def write(self, value: Any) -> Any:
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.most}


@dataclass(frozen=True)
class Several:
    """A list of values of one form, kept as a tuple."""

    of: Form
    least: int
    most: int

    def take(self, value: Any, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise refusal(place, value, f"a list of {self._number()}")
        values = cast(Sequence[Any], value)
        if not self.least <= len(values) <= self.most:
            raise BadInput(
                f"the mask track has {len(values)} items at {place}, where {self._number()} belong: correct it.",
                setting=_SETTING,
            )
        return tuple(self.of.take(one, f"{place}[{index}]") for index, one in enumerate(values))

    def write(self, value: Sequence[Any]) -> Any:
        return [self.of.write(one) for one in value]

    def schema(self) -> dict[str, Any]:
        return {
            "type": "array",
            "items": self.of.schema(),
            "minItems": self.least,
            "maxItems": self.most,
        }

    def _number(self) -> str:
        return f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"


@dataclass(frozen=True)
class Maybe:
    """A value that may be left out, None then."""

    of: Form

    def take(self, value: Any, place: str) -> Any:
        return None if value is None else self.of.take(value, place)

    def write(self, value: Any) -> Any:
        return self.of.write(value)

    def schema(self) -> dict[str, Any]:
        return self.of.schema()


@dataclass(frozen=True)
class OneOf:
    """A record: of the kind that its `kind` names where there are several."""

    kinds: tuple[type[Any], ...]

    def take(self, value: Any, place: str) -> Any:
        if isinstance(value, self.kinds):
            return value
        if not isinstance(value, Mapping):
            raise refusal(place, value, "an object with named fields")
        values = dict(cast(Mapping[str, Any], value))
        if len(self.kinds) == 1:
            return take_record(self.kinds[0], values, place)
        by_name = {one.kind: one for one in self.kinds}
        kind = Choice(tuple(by_name)).take(values.pop("kind", None), f"{place}.kind")
        return take_record(by_name[kind], values, place)

    def write(self, value: Any) -> Any:
        kind = {} if len(self.kinds) == 1 else {"kind": value.kind}
        return kind | write_record(value)

    def schema(self) -> dict[str, Any]:
        each = [record_schema(one, is_kind=len(self.kinds) > 1) for one in self.kinds]
        return each[0] if len(each) == 1 else {"oneOf": each}


def take_record(record: type[Record], values: Mapping[str, Any], place: str = "") -> Record:
    """The record with these values, as JSON has them.

    Raises: BadInput naming the place: for unknown and missing fields, and for values that do not belong there.
    """
    forms, at = forms_of(record), f"{place}." if place else ""
    for name in values:
        if name not in forms:
            raise BadInput(
                f"the mask track has an unknown field {_shown(name)} at {place or 'its top'}: the fields there are "
                f"{', '.join(forms)}.",
                setting=_SETTING,
            )
    for one in fields(cast(Any, record)):
        if is_needed(one) and one.name not in values:
            raise BadInput(f"the mask track has no {at}{one.name}: add it.", setting=_SETTING)
        if one.name in values and values[one.name] is None:
            raise refusal(f"{at}{one.name}", None, "a value, or no such field,")
    taken = {name: forms[name].take(value, f"{at}{name}") for name, value in values.items()}
    try:
        return record(**taken)
    except BadInput as error:
        where = f" (at {place})" if place else ""
        raise BadInput(f"{str(error).removesuffix('.')}{where}.", setting=_SETTING) from error


def write_record(record: Any) -> dict[str, Any]:
    """The record in plain JSON types; what has its default is left out."""
    written: dict[str, Any] = {}
    for one in fields(record):
        value = getattr(record, one.name)
        if is_needed(one) or value != one.default:
            written[one.name] = one.metadata["form"].write(value)
    return written


def record_schema(record: type[Any], *, is_kind: bool = False) -> dict[str, Any]:
    """The JSON Schema of a record."""
    properties: dict[str, Any] = {"kind": {"const": record.kind}} if is_kind else {}
    needed = list(properties)
    for one in fields(record):
        told = one.metadata["form"].schema() | {"description": one.metadata["told"]}
        properties[one.name] = told
        if is_needed(one):
            needed.append(one.name)
    return {
        "type": "object",
        "description": (record.__doc__ or "").strip().split("\n")[0],
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
    }


def _fraction(value: Any) -> Fraction | None:
    """Exactly what is written: a float is the decimal that it is shown as."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Fraction):
        return Fraction(value)
    if isinstance(value, float) and math.isfinite(value):
        return Fraction(repr(value))
    if isinstance(value, str) and _EXACT.fullmatch(value) and int(value.partition("/")[2]):
        return Fraction(value)
    return None


def _plain(value: float) -> float | int:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _shown(value: Any) -> str:
    """Short, whatever it is."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**_MOST_SHOWN:
        return "a number of very many digits"
    text = (
        {None: "null", True: "true", False: "false"}.get(value)
        if value is None or value is True or value is False
        else None
    )
    text = text or (f"'{value}'" if isinstance(value, str) else str(value))
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...{text[0] * isinstance(value, str)}"
