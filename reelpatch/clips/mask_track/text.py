"""The JSON text of a mask track, read without trust and written so that people can read and compare it."""

import json
import re
from typing import Any, NoReturn

from reelpatch.clips.mask_track.forms import record_schema, refusal, take_record, write_record
from reelpatch.clips.mask_track.records import VERSION, MaskTrack
from reelpatch.errors import BadInput

MOST_BYTES = 2**20
_SETTING = "mask"


def read_track(text: str | bytes) -> MaskTrack:
    """The track of a JSON text.

    Raises: BadInput for whatever is no track of this version, in one sentence, without more memory than a track needs.
    """
    values = read_json(text, "mask track")
    if not isinstance(values, dict):
        raise refusal("its top", values, "an object with named fields")
    version = values.get("mask_track")
    if "mask_track" not in values or isinstance(version, bool) or version != VERSION:
        found = (
            "no field mask_track" if "mask_track" not in values else "another version in its field mask_track"
        )
        raise BadInput(
            f'the JSON has {found}: this Reelpatch reads mask tracks with "mask_track": {VERSION}.',
            setting=_SETTING,
        )
    return take_record(MaskTrack, values)


def write_track(track: MaskTrack) -> str:
    """The track as JSON text; what has its default is left out, and `read_track` gives the same track back."""
    text = json.dumps(write_record(track), indent=1, ensure_ascii=False)
    # Numbers of one point or size on one line: a line break stands in no string.
    return (
        re.sub(r"\[\n\s*([^\[\]{}]*?)\n\s*\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"
    )


def read_json(text: str | bytes, what: str, setting: str = _SETTING) -> Any:
    """The plain values of a JSON text.

    Raises: BadInput for what is too long, nested too deeply or no JSON, for NaN, infinities and fields that are there twice.
    """
    if len(text) > MOST_BYTES:
        raise BadInput(
            f"the {what} is longer than {MOST_BYTES // 2**20} MB of text: use fewer points and keyframes.",
            setting=setting,
        )

    def named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise BadInput(
                f"the {what} has a field twice in one object: leave one of them out.", setting=setting
            )
        return found

    def no_number(name: str) -> NoReturn:
        raise BadInput(
            f"the {what} has {name} in it, which is no number: give a finite one.", setting=setting
        )

    try:
        return json.loads(text, object_pairs_hook=named, parse_constant=no_number)
    except BadInput:
        raise
    except RecursionError:
        raise BadInput(
            f"the {what} is nested too deeply to be one: see docs/mask_track.md.", setting=setting
        ) from None
    except ValueError as error:
        at = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput(f"the {what} is no JSON text{at}: see docs/mask_track.md.", setting=setting) from error


def track_schema() -> dict[str, Any]:
    """The JSON Schema of a track, as docs/mask_track.schema.json has it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reelpatch mask track",
        **record_schema(MaskTrack),
    }
