"""A file that a loader cannot take, by its name alone."""

from __future__ import annotations

from pathlib import Path

from bad_input import refused
from tiny import (
    FOLDER,
    call,
    files,
    register,
)

import nodes

DEMO_MODELS = Path(__file__).parents[3] / "reelpatch" / "headless" / "demo" / "models"


def check_a_file_for_another_loader_names_that_loader():
    named = {
        "ReelpatchLoadBackbone": (
            "module",
            "use Load edit module for it",
            {"storage": "from file", "compute": "auto"},
        ),
        "ReelpatchLoadEditModule": ("backbone", "use Load backbone for it", {}),
    }
    register()
    said = []
    for node, (what, words, more) in named.items():
        name = files()[what].name
        message = refused(
            lambda node=node, name=name, more=more: call(node, file=name, **more),
            name,
            words,
            "is needed here",
        )
        assert str(FOLDER) not in message
        assert "belongs" not in message
        said.append(message)
    return said


def check_a_file_that_is_no_name():
    """What the API sends is any JSON; an edge, a list of a node and a slot, is never asked about."""
    messages = []
    for node in (
        "ReelpatchLoadBackbone",
        "ReelpatchLoadEditModule",
        "ReelpatchLoadLora",
        "ReelpatchDemoTextEncoder",
    ):
        for file in (5, 1.5, True, None, {}, [], ["a", "b", "c"], {"a": ["x" * 500]}):
            said = nodes.NODE_CLASS_MAPPINGS[node].validate_inputs(file=file)
            assert isinstance(said, str), (node, file, said)
            assert "instead of a name in quotes" in said
            assert len(said) < 200
            assert "\n" not in said
            messages.append(said)
    return messages
