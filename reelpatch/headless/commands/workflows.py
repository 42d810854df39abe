"""The verb `workflows`: the workflows that ComfyUI servers are given, and the places in them to fill in."""

import argparse
from typing import Any

_ABOUT = """\
Lists the workflows that come with Reelpatch in the form that ComfyUI's API takes, or the places of one of them: the title of a
node and the name of an input, with what stands there now. `reelpatch batch --comfyui` fills them."""


def add_to(verbs: Any) -> None:
    """Adds the verb to the subparsers of the command line."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "workflows",
        help="the workflows for ComfyUI servers, and the places in them to fill in",
        description=_ABOUT,
    )
    parser.set_defaults(run=_run)
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="a workflow, in quotes; all are listed without"
    )


def _run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from reelpatch.headless.runs.workers.comfyui.shipped import folder, names, places, shipped, suffix_of

    if options.name is None:
        listed = names()
        return {"workflows": listed, "folder": str(folder())}, "".join(f"{name}\n" for name in listed)
    prompt = shipped(options.name)
    found = list(places(prompt))
    answer = {
        "workflow": options.name,
        "file": str(folder() / f"{options.name}.json"),
        "result": suffix_of(prompt),
        "places": [
            {"place": str(one), "value": one.value, "file": one.file or None, "node": one.node}
            for one in found
        ],
    }
    width = max(len(str(one)) for one in found)
    lines = (
        f"{one!s:{width}}  {_shown(one.value)}{f'  (a {one.file} file)' if one.file else ''}\n"
        for one in found
    )
    return answer, "".join(lines)


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return repr(text if len(text) <= 60 else f"{text[:57]}...") if isinstance(value, str) else str(value)
