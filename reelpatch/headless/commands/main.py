"""The command `reelpatch`: what can be asked of it, and how it answers."""

import argparse
import json
import math
import re
import sys
from collections.abc import Sequence
from textwrap import shorten
from typing import Any, NoReturn

import reelpatch
from reelpatch.errors import BadInput
from reelpatch.headless.commands import (
    batch,
    compare,
    console,
    convert,
    demo,
    edit,
    enhance,
    inspect,
    measure,
    pairs,
    picture,
    plan,
    recipes,
    rewrite,
    task,
    workflows,
)
from reelpatch.headless.commands.option_values import as_option
from reelpatch.headless.hosts.ranks.torchrun import check_verb, find_ranks
from reelpatch.headless.models.lasting_imports import lasting_imports
from reelpatch.media.disk_faults import disk_fault

# They import what they run only when they run, so that --help and mistakes are answered at once.
_VERBS = (
    edit, picture, demo, recipes, inspect, enhance, plan, task, pairs, batch, workflows, rewrite, convert, measure, compare,
)  # fmt: skip
_SHOWN = 80
DONE, UNEXPECTED, BAD_INPUT, STOPPED = 0, 1, 2, 130

_DESCRIPTION = """\
Edits video clips by instruction, with editing modules on Wan-family models."""
_EPILOG = """\
examples:
  reelpatch demo --out demo_out
  reelpatch edit clip.mp4 "make the red circle blue" --output blue.mp4
  reelpatch edit clip.mp4 "Make it a Claymation." --recipe ditto-global --models ~/ComfyUI/models --size 832x480 --fit
  reelpatch edit clip.mp4 "remove the green square" --mask mask.png --when 0-24 --seed 7
  reelpatch picture photo.jpg "put a red hat on the cat" --recipe chronoedit-8step --models ~/ComfyUI/models
  reelpatch rewrite "lego" --recipe ditto-global --look-at clip.mp4 --rewrite-url http://127.0.0.1:11434/v1
  reelpatch enhance edited.mp4 --out steadier.mp4
  reelpatch plan --recipe ditto-global --vram 12 --ram 32
  reelpatch recipes ditto-global
  reelpatch inspect ~/ComfyUI/models/loras/*.safetensors

With --json, stdout holds exactly one JSON object, {"error": ...} when something is wrong; everything else goes to
stderr. Exit codes: 0 done, 1 unexpected error, 2 something to correct in what was given, 130 stopped by Ctrl-C."""


_NO_VALUE = re.compile(r"argument (?:\S+/)?(--[\w-]+): expected .*argument")
_NOT_KNOWN = re.compile(r"unrecognized arguments: (-\S*)")
_TOO_MANY = re.compile(r"unrecognized arguments: (.*)", re.DOTALL)


class _Parser(argparse.ArgumentParser):
    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride] -- one form for all of its overloads
        self, args: Any = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Takes an instruction behind options too: what may be left out argparse finds before the first option alone."""
        options, rest = super().parse_known_args(args, namespace)
        is_missing = getattr(options, "instruction", self) == self.get_default("instruction")
        if is_missing and len(rest) == 1 and not rest[0].startswith("-"):
            options.instruction = rest.pop()
        return options, rest

    def error(self, message: str) -> NoReturn:
        if found := _NO_VALUE.fullmatch(message):
            raise BadInput(
                f"no value stands after {found[1]}: give one; a name that begins with a dash is written ./-NAME, any other "
                f"value {found[1]}=-VALUE."
            )
        if found := _NOT_KNOWN.match(message):
            raise BadInput(
                f"there is no option {found[1]}: see {self.prog} --help; a name that begins with a dash is written ./-NAME."
            )
        if found := _TOO_MANY.fullmatch(message):
            raise BadInput(
                f"nothing takes {shorten(found[1], _SHOWN)!r}, which stands behind the rest: put a text of several words in quotes."
            )
        raise BadInput(f"{message}: see {self.prog} --help.")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; of several processes that torchrun starts, the first one runs it."""
    ranks = find_ranks()
    if ranks is None:
        return _answered(argv)
    if not ranks.is_leader:
        with lasting_imports():
            from reelpatch.headless.hosts.ranks.follow import follow

        return follow()
    from reelpatch.headless.hosts.ranks.fellows import leading

    with leading():
        return _answered(argv)


def _answered(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    console.start_logging()
    try:
        options = build_parser().parse_args(arguments)
        check_verb(options.verb)
        answer, text = options.run(options)
    except BadInput as error:
        return _failed(error.naming(as_option), BAD_INPUT, as_json=as_json)
    except KeyboardInterrupt as stop:  # one that says something knows what is kept
        return _failed(str(stop) or "stopped; nothing was written.", STOPPED, as_json=as_json)
    except Exception as error:
        if said := disk_fault(error):
            return _failed(said, BAD_INPUT, as_json=as_json)
        console.log.exception("This is a defect of Reelpatch; please report it with the lines below.")
        return _failed(f"unexpected {type(error).__name__}: {error}", UNEXPECTED, as_json=as_json)
    sys.stdout.write(json.dumps(_with_finite_numbers(answer)) + "\n" if as_json else text)
    if error := answer.get("error"):  # a part of what was asked for could not be done
        sys.stderr.write(f"reelpatch: {error}\n")
        return BAD_INPUT
    return DONE


def build_parser() -> argparse.ArgumentParser:
    """All verbs and options."""
    parser = _Parser(
        prog="reelpatch",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reelpatch {reelpatch.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for one in _VERBS:
        one.add_to(verbs)
    for verb in verbs.choices.values():
        verb.add_argument("--json", action="store_true", help="one JSON object on stdout instead of text")
    return parser


def _failed(message: str, code: int, *, as_json: bool) -> int:
    if find_ranks() is not None:
        from reelpatch.headless.hosts.ranks.fellows import fellows

        if not fellows().may_say(message):
            return code
    sys.stderr.write(f"reelpatch: {message}\n")
    if as_json:
        sys.stdout.write(json.dumps({"error": message}) + "\n")
    return code


def _with_finite_numbers(value: Any) -> Any:
    """JSON has no infinity (the PSNR of equal clips) and no NaN: they become null."""
    if isinstance(value, dict):
        return {name: _with_finite_numbers(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_finite_numbers(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
