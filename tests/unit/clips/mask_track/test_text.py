"""The JSON of a mask track: exact both ways, told by its schema, and refused in one sentence where it is not one."""

import json
import re
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelpatch.clips.mask_track.records import (
    Box,
    Envelope,
    Keyframe,
    Linear,
    Masks,
    MaskTrack,
    Region,
    Whole,
)
from reelpatch.clips.mask_track.text import MOST_BYTES, read_track, track_schema, write_track
from reelpatch.errors import BadInput
from tests.unit.clips.mask_track.drawn_tracks import track

ROOT = Path(__file__).parents[4]
EXAMPLE: dict[str, Any] = {
    "mask_track": 1,
    "units": "fractions",
    "times": "seconds",
    "regions": [
        {
            "shape": {"kind": "box", "centre": [0.5, 0.5], "size": [0.2, 0.3]},
            "envelope": {"start": 1.5, "ramp_in": {"kind": "wipe", "length": "1001/3000"}},
            "keyframes": [{"at": 0, "position": [0, 0]}, {"at": 0.1, "value": 0.5}],
        }
    ],
}


def example(change: Callable[[dict[str, Any]], Any]) -> str:
    values = json.loads(json.dumps(EXAMPLE))
    change(values)
    return json.dumps(values)


def test_what_is_written_is_read_again_exactly() -> None:
    draw = Random(1)
    for _ in range(200):
        drawn = track(draw)
        text = write_track(drawn)
        assert read_track(text) == drawn
        assert write_track(read_track(text)) == text


@given(st.fractions(max_denominator=10**9, min_value=-(10**6), max_value=10**6))
def test_every_time_is_exact(at: Fraction) -> None:
    drawn = MaskTrack(1, "pixels", "seconds", (Region(Whole(), keyframes=(Keyframe(at, value=0.5),)),))
    (key,) = read_track(write_track(drawn)).regions[0].keyframes
    assert key.at == at


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_every_number_is_exact(x: float, width: float) -> None:
    drawn = MaskTrack(1, "pixels", "seconds", (Region(Box((x, -x), (width, 1)), name="[\n 1\n]"),))
    assert read_track(write_track(drawn)) == drawn


def test_a_decimal_is_taken_as_it_is_written() -> None:
    (region,) = read_track(json.dumps(EXAMPLE)).regions
    assert region.envelope.start == Fraction(3, 2)
    assert region.envelope.ramp_in is not None
    assert region.envelope.ramp_in.length == Fraction(1001, 3000)
    assert region.keyframes[1].at == Fraction(1, 10)
    assert Keyframe(0.1).at == Fraction(1, 10)  # pyright: ignore[reportArgumentType]


def test_it_is_short_and_a_point_stands_on_one_line() -> None:
    text = write_track(read_track(json.dumps(EXAMPLE)))
    assert '"centre": [0.5, 0.5]' in text
    assert "smooth_frames" not in text
    assert "mode" not in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda v: v.update(mask_track=2), "another version in its field mask_track: this Reelpatch reads"),
        (lambda v: v.update(mask_track=True), "another version in its field mask_track"),
        (lambda v: v.pop("mask_track"), "no field mask_track"),
        (
            lambda v: v.update(colour="red"),
            "unknown field 'colour' at its top: the fields there are mask_track, units",
        ),
        (lambda v: v.pop("units"), "no units: add it"),
        (lambda v: v.update(units="metres"), "'metres' at units, where one of fractions, pixels belongs"),
        (
            lambda v: v.update(smooth_frames=10**9),
            "1000000000 at smooth_frames, where a whole number from 0 to 16",
        ),
        (lambda v: v.update(grow=None), "null at grow"),
        (lambda v: v.update(feather=[]), "a list at feather, where a number from 0"),
        (lambda v: v.update(feather=True), "true at feather"),
        (lambda v: v.update(regions={}), "an object at regions, where a list of 0 to 256"),
        (lambda v: v.update(regions=[{}] * 257), "257 items at regions"),
        (
            lambda v: v["regions"][0]["shape"].update(kind="star"),
            "'star' at regions[0].shape.kind, where one of whole, box",
        ),
        (lambda v: v["regions"][0]["shape"].pop("kind"), "null at regions[0].shape.kind"),
        (
            lambda v: v["regions"][0]["shape"].update(centre=[1, 2, 3]),
            "3 items at regions[0].shape.centre, where 2 belong",
        ),
        (lambda v: v["regions"][0]["shape"].update(size=[-1, 2]), "-1 at regions[0].shape.size[0]"),
        (lambda v: v["regions"][0]["shape"].update(size=["1", 2]), "'1' at regions[0].shape.size[0]"),
        (lambda v: v["regions"][0]["envelope"].update(start="1/0"), "'1/0' at regions[0].envelope.start"),
        (
            lambda v: v["regions"][0]["envelope"].update(start=10**50),
            "a number of very many digits at regions[0].envelope",
        ),
        (lambda v: v["regions"][0]["envelope"].update(end=1), "an end is not after its start"),
        (lambda v: v["regions"][0]["envelope"].pop("start"), "a ramp_in, but no start that it begins at"),
        (lambda v: v["regions"][0]["keyframes"].reverse(), "not in the order of their times"),
        (lambda v: v["regions"][0].update(shape={"kind": "whole"}), "a keyframe moves the whole frame"),
    ],
)
def test_what_is_no_track_is_told_in_a_sentence(
    change: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        read_track(example(change))
    assert sentence in str(refusal.value)
    assert str(refusal.value).endswith(".")
    assert refusal.value.settings == ("mask",)
    assert len(str(refusal.value)) < 400


HOSTILE = {
    "nothing": "",
    "no JSON": "[1,",
    "a list": "[]",
    "a text": '"track"',
    "NaN": json.dumps(EXAMPLE | {"grow": float("nan")}),
    "infinity": json.dumps(EXAMPLE).replace("0.3", "1e999"),
    "tiny": json.dumps(EXAMPLE).replace("1.5", '"1/1000000000000000000000"'),
    "twice": json.dumps(EXAMPLE)[:-1] + ', "units": "pixels"}',
    "deep list": "[" * 10_000,
    "deep object": '{"a":' * 10_000,
    "deep and closed": "[" * 100_000 + "]" * 100_000,
    "long": json.dumps(EXAMPLE) + " " * 50_000_000,
    "many": json.dumps(EXAMPLE | {"regions": [0] * 500_000}),
    "digits": json.dumps(EXAMPLE).replace("0.3", "9" * 1_000_000),
    "not UTF-8": b"\xff\xfe{}",
    "surrogate": json.dumps(EXAMPLE | {"\ud800": 1}),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_told_in_a_sentence(text: str | bytes) -> None:
    with pytest.raises(BadInput) as refusal:
        read_track(text)
    assert len(str(refusal.value)) < 400


def test_hostile_text_takes_little_memory() -> None:
    """As many of the largest values as fit into the limit of length."""
    text = "[" + "{}," * ((MOST_BYTES - 3) // 3) + "0]"
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match="a list at its top"):
            read_track(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200e6


def test_python_is_held_to_the_same() -> None:
    with pytest.raises(BadInput, match="inf at length, where a time from 0"):
        Linear(float("inf"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="'purple' at channel"):
        Masks("a.png", channel="purple")  # pyright: ignore[reportArgumentType]
    assert (
        MaskTrack(1, "pixels", "frames", [Region(Whole(), envelope=Envelope(2))]).regions[0].envelope.start
        == 2
    )  # pyright: ignore[reportArgumentType]


def test_the_published_schema_is_that_of_the_records() -> None:
    published = json.loads((ROOT / "docs" / "mask_track.schema.json").read_text(encoding="utf-8"))
    assert published == track_schema()


def test_the_schema_takes_what_the_reader_takes_and_no_more() -> None:
    draw, schema = Random(2), track_schema()
    for _ in range(100):
        assert fits(json.loads(write_track(track(draw))), schema)
    assert fits(EXAMPLE, schema)
    for change in (
        lambda v: v.update(mask_track=2),
        lambda v: v.update(colour="red"),
        lambda v: v.pop("units"),
        lambda v: v.update(smooth_frames=0.5),
        lambda v: v["regions"][0]["shape"].update(kind="star"),
        lambda v: v["regions"][0]["shape"].update(centre=[1, 2, 3]),
        lambda v: v["regions"][0]["shape"].update(size=[-1, 2]),
        lambda v: v["regions"][0]["envelope"].update(start="soon"),
    ):
        text = example(change)
        assert not fits(json.loads(text), schema), text
        with pytest.raises(BadInput):
            read_track(text)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """The words of JSON Schema that the published one uses."""
    known = {
        "$schema",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
    }
    known |= {"minItems", "maxItems", "minimum", "maximum", "maxLength", "pattern", "const", "anyOf", "oneOf"}
    assert set(schema) <= known
    if "oneOf" in schema and sum(fits(value, one) for one in schema["oneOf"]) != 1:
        return False
    if "anyOf" in schema and not any(fits(value, one) for one in schema["anyOf"]):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    return fits_type(value, schema)


def fits_type(value: Any, schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    if kind == "object":
        own = schema["properties"]
        if not isinstance(value, dict) or not set(schema["required"]) <= set(value) <= set(own):
            return False
        return all(fits(one, own[name]) for name, one in value.items())
    if kind == "array":
        is_long = isinstance(value, list) and schema["minItems"] <= len(value) <= schema["maxItems"]
        return is_long and all(fits(one, schema["items"]) for one in value)
    if kind in ("integer", "number"):
        is_number = isinstance(value, int if kind == "integer" else int | float)
        return is_number and schema["minimum"] <= value <= schema["maximum"]
    if kind == "string":
        is_short = isinstance(value, str) and len(value) <= schema.get("maxLength", len(value))
        return is_short and re.fullmatch(schema.get("pattern", ".*"), value, re.DOTALL) is not None
    return kind is None
