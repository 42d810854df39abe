"""What a running node can know of the graph that it is part of: what it depends on, and the workflow to keep with a result."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from comfy.cli_args import args
from comfy_api.latest import io


def graph_of(node: type[io.ComfyNode]) -> dict[str, Any]:
    """A node and all that it depends on, as the graph has them: what decides its result, but for changed files.

    Without a graph nothing tells runs apart, so that each is one of its own.
    """
    hidden = node.hidden
    if hidden is None or not hidden.prompt or hidden.unique_id is None:
        return {"run": uuid.uuid4().hex}
    prompt = hidden.prompt
    found: dict[str, Any] = {}
    waiting = [hidden.unique_id]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        inputs = prompt[name]["inputs"]
        found[name] = {"class": prompt[name]["class_type"], "inputs": inputs}
        waiting += [value[0] for value in inputs.values() if _is_link(value) and value[0] in prompt]
    return found


# Inputs of nodes, and what they are told as, in this order; texts are those of CLIP Text Encode.
_ASKED = {
    **{name: name for name in ("instruction", "instructions", "text", "recipe", "strength", "seed", "seeds")},
    "noise_seed": "seed",
}


def asked_in(graph: Mapping[str, Any]) -> dict[str, Any]:
    """What a person has typed or chosen in a graph as `graph_of` gives it: of each name its values, one alone without a list."""
    found: dict[str, list[Any]] = {}
    nodes = [node["inputs"] for node in graph.values() if isinstance(node, Mapping)]
    for name, told in _ASKED.items():
        for value in (inputs[name] for inputs in nodes if name in inputs):
            if not _is_link(value) and value not in ("", *found.get(told, [])):
                found.setdefault(told, []).append(value)
    return {told: values[0] if len(values) == 1 else values for told, values in found.items()}


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and isinstance(value[0] if value else None, str)


def item_of_list() -> Mapping[str, int]:
    """Which item of a list a node is run for, where ComfyUI runs it once for each; nothing for the first or only one."""
    try:
        from comfy_execution.utils import get_executing_context
    except ImportError:  # a host that does not say
        return {}
    context = get_executing_context()
    index = getattr(context, "list_index", None)
    return {"item of the list": index} if index else {}


def workflow_tags(node: type[io.ComfyNode]) -> Mapping[str, str]:
    """The workflow and the prompt, as Save Video writes them into a film; nothing where ComfyUI is told to keep none."""
    hidden = node.hidden
    if args.disable_metadata or hidden is None:
        return {}
    kept = {**(hidden.extra_pnginfo or {}), **({"prompt": hidden.prompt} if hidden.prompt else {})}
    return {name: json.dumps(value) for name, value in kept.items()}
