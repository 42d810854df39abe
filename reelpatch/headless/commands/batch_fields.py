"""The fields of a job as the command line of its verb, which alone says what they may be."""

import argparse
import glob
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from itertools import chain, product
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands.batch_lines import EACH, Fields

VERBS = ("edit", "enhance", "task", "picture")
_NEVER = ("help", "json", "preview")  # they say how a verb answers, not what it makes
_NAMED_AFTER_CLIP = ("output", "out", "mask", "reasoning-film")
_CLIP = "{clip}"
_SHOWN = 40
_REMEMBERED = 1024


class JobParser:
    """Jobs in terms of the command line, whose parsers of verbs are given; relative files begin at a folder."""

    def __init__(
        self, parsers: Mapping[str, argparse.ArgumentParser], folder: Path, defaults: Fields
    ) -> None:
        self._parsers = {verb: parsers[verb] for verb in VERBS}
        # Many lines name the same files: each is held once.
        self._at = lru_cache(maxsize=_REMEMBERED)(self._placed)
        self._folder, self._defaults = folder, {_spelled(name): value for name, value in defaults.items()}
        known = {"verb"}.union(*(_actions(parser) for parser in self._parsers.values()))
        for name in self._defaults:
            if name not in known:
                raise BadInput(
                    f"the defaults have a field {name[:_SHOWN]!r}, which is no option of {', '.join(VERBS)}: correct it.",
                    setting="defaults",
                )

    def jobs_of(self, fields: Fields) -> Iterator[Fields]:
        """The job of a line with its defaults, or one for each file that the pattern in place of its clip finds, and for each
        combination of the values in its field `each`.

        Raises: `BadInput` for a line without a verb that can be a job, and for a pattern that finds nothing.
        """
        own = {_spelled(name): value for name, value in fields.items()}
        if len(own) < len(fields):
            raise BadInput(
                "the line has one field in two spellings, with dashes and underscores: leave one of them out."
            )
        each = own.pop(EACH, None)
        verb = own.get("verb", self._defaults.get("verb"))
        if verb == "pairs":
            raise BadInput(
                "pairs has a file form of its own with a pair on each line, so that it is no job here: run `reelpatch pairs FILE`."
            )
        if not isinstance(verb, str) or verb not in VERBS:
            found = "has no verb" if verb is None else f"has the verb {str(verb)[:_SHOWN]!r}"
            raise BadInput(f"the line {found}: its field verb is one of {', '.join(VERBS)}.")
        known = _actions(self._parsers[verb])
        usual = {name: value for name, value in self._defaults.items() if name in known}
        job = {**usual, **own, "verb": verb}
        named = "image" if verb == "picture" else "clip"
        return chain.from_iterable(self.found_files(one, named) for one in _combinations(job, each))

    def found_files(self, job: Fields, named: str) -> Iterator[Fields]:
        """The job, or one for each file that the pattern in its field `named` finds. Raises: `BadInput` where it finds none."""
        clip = job.get(named)
        if not isinstance(clip, str) or not glob.has_magic(clip):
            yield job
            return
        try:
            pattern = Path(clip).expanduser()
            is_name = (self._folder / pattern).exists()
            # Path.glob takes no pattern that begins at the root.
            ways = glob.iglob(str(pattern), root_dir=self._folder, recursive=True)  # noqa: PTH207
            found = [clip] if is_name else sorted(ways)
        except (OSError, ValueError, RuntimeError):  # no file has such a name
            found = []
        if not found:
            raise BadInput(
                f"the pattern {clip[:_SHOWN]!r} of its {named} finds no file: check it, and the folder it begins in."
            )
        for one in found:
            stem = Path(one).stem
            names = {
                name: value.replace(_CLIP, stem)
                for name in _NAMED_AFTER_CLIP
                if isinstance(value := job.get(name), str)
            }
            yield {**job, **names, named: one}

    def options_of(self, job: Fields) -> argparse.Namespace:
        """What the parser of its verb makes of a job. Raises: `BadInput` as that parser, and for fields it does not have."""
        parser = self._parsers[job["verb"]]
        options = parser.parse_args(_arguments(parser, job))
        for name, value in vars(options).items():
            setattr(options, name, self._rebased(value))
        return options

    def _rebased(self, value: Any) -> Any:
        if isinstance(value, Path):
            return self._at(value)
        if isinstance(value, list | tuple) and type(value) in (list, tuple):
            return type(value)(self._rebased(one) for one in value)  # pyright: ignore[reportUnknownVariableType]
        return value

    def _placed(self, path: Path) -> Path:
        try:
            return self._folder / path.expanduser()
        except RuntimeError as error:
            raise BadInput(
                f"{str(path)[:_SHOWN]!r} names nobody's home folder: write the whole path."
            ) from error


def _combinations(job: Fields, each: Any) -> Iterator[Fields]:
    """The job with every combination of the values in `each`, whose names in braces in its files' names stand for them.

    Raises: `BadInput` for an `each` that is no object of lists.
    """
    if each is None:
        yield job
        return
    if not isinstance(each, dict) or not all(isinstance(one, list) and one for one in each.values()):
        raise BadInput(
            'its field each is no object of lists: write it as {"instruction": ["make it sepia", "make it blue"], "seed": [1, 2]}.'
        )
    fields = {_spelled(str(name)): values for name, values in each.items()}
    for values in product(*fields.values()):
        own = dict(zip(fields, values, strict=True))
        files = {name: text for name in _NAMED_AFTER_CLIP if isinstance(text := job.get(name), str)}
        for name, value in own.items():
            words = "_".join(re.findall(r"\w+", str(value).lower()))
            files = {file: text.replace(f"{{{name}}}", words) for file, text in files.items()}
        yield {**job, **files, **own}


def _spelled(name: str) -> str:
    return name.strip().replace("_", "-")


@cache
def _actions(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The options of a verb by their names without dashes, and its places by theirs."""
    found: dict[str, argparse.Action] = {}
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage] -- argparse tells them in no other way
        names = [option.removeprefix("--") for option in action.option_strings if option.startswith("--")]
        found |= dict.fromkeys(names or [action.dest], action)
    return {name: action for name, action in found.items() if name not in _NEVER}


def _arguments(parser: argparse.ArgumentParser, job: Fields) -> list[str]:
    """A command line that says what a job says."""
    known = _actions(parser)
    said: list[str] = []
    places: list[str] = []
    for name in job:
        if name in _NEVER:
            raise BadInput(f"the field {name} says how a verb answers, not what it makes: leave it out.")
        if name != "verb" and name not in known:
            near = get_close_matches(name, known, 1, 0.7)
            hint = f", did you mean {near[0]!r}" if near else ""
            raise BadInput(
                f"the line has a field {name[:_SHOWN]!r}, which is no option of {job['verb']}{hint}: see `reelpatch {job['verb']} --help`."
            )
    for name, action in known.items():
        value = job.get(name)
        if value is None:
            if action.required and not action.option_strings:
                raise BadInput(f"the line has no field {name}, which {job['verb']} needs: add it.")
            continue
        if not action.option_strings:
            places.append(_text(name, value))
        elif isinstance(value, list):
            said += [_option(name, action, one) for one in _several(name, action, value)]
        elif not (_may_stand_alone(action) and str(value).lower() == "false"):
            said.append(_option(name, action, value))
    return [*said, "--", *places]


def _several(name: str, action: argparse.Action, values: Any) -> list[Any]:
    if not isinstance(action.default, list):
        raise BadInput(_once(name))
    return list(values)


def _once(name: str) -> str:
    return f"the field {name} has several values, but may be given once: give one text."


def _option(name: str, action: argparse.Action, value: Any) -> str:
    if not _may_stand_alone(action):
        return f"--{name}={_text(name, value)}"
    if value is True or (isinstance(value, str) and value.lower() == "true"):
        return f"--{name}"
    if action.nargs == 0:
        raise BadInput(f"the field {name} is {str(value)[:_SHOWN]!r}: write true, or leave it out.")
    return f"--{name}={_text(name, value)}"


def _may_stand_alone(action: argparse.Action) -> bool:
    return action.nargs in (0, "?")


def _text(name: str, value: Any) -> str:
    """How a value is written on a command line."""
    if isinstance(value, list):
        raise BadInput(_once(name))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadInput(f"the field {name} has no text or number: write its value as on the command line.")
    return str(value)
