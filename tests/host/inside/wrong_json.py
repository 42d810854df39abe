"""The API takes any JSON for a widget: what is of another kind is refused in a sentence, or taken for what it reads as."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import execution
from bad_input import refused
from tiny import backbone, call, frames, text

import nodes

WRONG: tuple[Any, ...] = (
    5,
    1.5,
    -3,
    True,
    None,
    {},
    {"a": 1},
    [],
    [[]],
    ["a", "b", "c"],
    {"__value__": ["a", "b"]},
    "abc",
    "",
)
READ_AS = {"STRING": str, "INT": int, "FLOAT": float, "BOOLEAN": bool}


def ours() -> list[tuple[str, Any]]:
    """The nodes of this pack, by id."""
    return [(name, node) for name, node in nodes.NODE_CLASS_MAPPINGS.items() if name.startswith("Reelpatch")]


def widgets(node: Any) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Type and settings of what is typed or chosen on a node, by name."""
    groups = node.INPUT_TYPES()
    found = {**groups.get("required", {}), **groups.get("optional", {})}
    return {
        name: (kind[0], kind[1] if len(kind) > 1 else {})
        for name, kind in found.items()
        if isinstance(kind[0], list) or kind[0] in (*READ_AS, "COMBO")
    }


def answer(kind: str, inputs: dict[str, Any], name: str) -> tuple[Any, list[dict[str, Any]]]:
    """What a widget's value is read as, and what is wrong with it."""
    prompt = {"1": {"class_type": kind, "inputs": inputs}}
    _, errors, _ = asyncio.run(execution.validate_inputs("x", prompt, "1", {}))
    return prompt["1"]["inputs"].get(name), [
        one for one in errors if one["extra_info"].get("input_name") == name
    ]


def check_every_widget_takes_its_kind_or_says_what_is_wrong():
    seen = 0
    for kind, node in ours():
        for name, (reads, settings) in widgets(node).items():
            options = reads if isinstance(reads, list) else settings.get("options")
            for wrong in WRONG:
                value, errors = answer(kind, {name: json.loads(json.dumps(wrong))}, name)
                seen += 1
                told = [f"{one['message']}: {one['details']}" for one in errors]
                assert all("Traceback" not in one and "\n" not in one for one in told), (
                    kind,
                    name,
                    wrong,
                    told,
                )
                if not told:
                    is_right = value in options if options is not None else isinstance(value, READ_AS[reads])
                    assert is_right, (kind, name, wrong, value)
    assert seen > 500
    return seen


def check_lists_that_are_none_are_one_sentence():
    """Digits of no decimal, more of them than a number has, ranges that would fill the memory."""
    guider = {"model": backbone(), "positive": text(1), "cfg": 1.0, "skip_start": 0.2, "skip_end": 0.7}
    told = []
    for wrong in ("\u00b2", "9" * 5000, "0-9999999999", "5-2", "None", "{'a': 1}", "1.5", "-3"):
        for name in ("steps", "skip_blocks"):
            lists = {"steps": "", "skip_blocks": "", name: wrong}
            told.append(
                refused(
                    lambda lists=lists: call("ReelpatchGuidanceSchedule", **guider, **lists), f"in {name}"
                )
            )
    images = frames(5, (32, 48))
    told += [
        refused(
            lambda wrong=wrong: call("ReelpatchMeasure", before=images, after=images, joins=wrong), "joins"
        )
        for wrong in ("\u00b2", "9" * 5000, "-3", "1.5")
    ]
    assert all(len(one) < 300 for one in told), told
    return told
