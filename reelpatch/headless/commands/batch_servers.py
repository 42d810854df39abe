"""Lines of a batch as filled workflows for ComfyUI servers."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reelpatch.errors import BadInput
from reelpatch.headless.commands import edit, enhance
from reelpatch.headless.commands.batch_fields import JobParser
from reelpatch.headless.commands.batch_lines import Fields
from reelpatch.headless.runs.workers.comfyui.filling import VERBS, FilledWorkflow, fill, fill_as
from reelpatch.headless.runs.workers.comfyui.shipped import place_named, shipped, suffix_of

_REQUESTS = {"edit": edit.request_of, "enhance": enhance.request_of}


class WorkflowParser:
    """Jobs in terms of workflows. The defaults are those of all jobs; relative files begin at a folder."""

    def __init__(
        self, parsers: Mapping[str, argparse.ArgumentParser], folder: Path, defaults: Fields
    ) -> None:
        usual = {name: value for name, value in defaults.items() if not _is_of_workflows(name)}
        self._parser = JobParser(parsers, folder, usual)
        self._folder, self._defaults = folder, defaults

    def requests_of(self, fields: Fields) -> Iterator[tuple[str, FilledWorkflow]]:
        """The verb and the filled workflow of a line, or one for each file that its pattern finds.

        Raises: `BadInput` for what the verb or the workflow does not take.
        """
        verb = fields.get("verb", self._defaults.get("verb"))
        if verb not in VERBS:
            raise BadInput(
                f"the line has the verb {str(verb)[:40]!r}, which goes to no ComfyUI server: its field verb is one of "
                f"{', '.join(VERBS)}; with workflow, any shipped workflow is filled by its places."
            )
        if verb == "workflow":
            for request in self._by_places(fields):
                yield verb, request
            return
        named = fields.get("workflow", self._defaults.get("workflow"))
        own = {name: value for name, value in fields.items() if name != "workflow"}
        for job in self._parser.jobs_of(own):
            options = self._parser.options_of(job)
            request = _REQUESTS[verb](options)
            given = {name: _value(options, name) for name in job if name != "verb"}
            if getattr(options, "edits", None) is not None:
                raise BadInput(
                    "its field edits has several edits, which no workflow takes: give each a line of its own."
                )
            yield verb, fill_as(verb, given | {"workflow": named}, request)

    def _by_places(self, fields: Fields) -> Iterator[FilledWorkflow]:
        usual = {name: value for name, value in self._defaults.items() if _is_of_workflows(name)}
        job = {**usual, **fields}
        name, output = job.get("workflow"), job.get("output")
        for needed, value in (("workflow", name), ("output", output)):
            if not isinstance(value, str) or not value:
                raise BadInput(f"the line has no field {needed}, which the verb workflow needs: add it.")
        prompt = shipped(str(name))
        values = {key: value for key, value in job.items() if key not in ("verb", "workflow", "output")}
        files = [key for key in values if place_named(prompt, key).file]
        target = Path(str(output)).expanduser()
        if target.suffix.lower() != suffix_of(prompt):
            raise BadInput(
                f"the output {target} does not end in {suffix_of(prompt)}, which is what this workflow makes: rename it."
            )
        for one in self._parser.found_files(job, files[0]) if files else [job]:
            taken = {key: one[key] for key in values}
            yield fill(str(name), taken, self._folder / Path(one["output"]).expanduser(), self._folder)


def _is_of_workflows(name: str) -> bool:
    return "." in name or name in ("workflow", "verb")


def _value(options: argparse.Namespace, name: str) -> Any:
    """What the parser of the verb has made of a field."""
    return getattr(options, name.replace("-", "_"), None)
