"""Templates whose result has a source show both in one player."""

from __future__ import annotations

import pytest

from tests.design.workflow_forms import forms, inputs, name_of
from workflows.templates import WORKFLOWS, Workflow


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name_of)
def test_a_result_stands_beside_what_it_was_made_of(workflow: Workflow) -> None:
    """In Compare, but for clips that are made of stills alone, and for several edits, which stand on a sheet with their sources."""
    _, api = forms(workflow)
    compared = inputs(workflow, "ReelpatchCompare")
    has_none = inputs(workflow, "ReelpatchSeveral") or not (
        workflow.is_pair or inputs(workflow, "LoadVideo") or workflow.is_picture
    )
    assert len(compared) == (not has_none)
    beside = {
        "CreateVideo": workflow.is_pair,
        "LoadImage": workflow.is_picture,
        "ReelpatchClip": workflow.is_part,
        # The source in its place, with gray around, as the result is a larger picture.
        "ReelpatchTask": workflow.name == "VDOT - outpaint (4 steps)",
    }
    for one in compared:
        before, after = (api[one[side][0]]["class_type"] for side in ("before", "after"))
        assert before == next((kind for kind, is_so in beside.items() if is_so), "LoadVideo")
        assert after.startswith(("ReelpatchEdit", "ReelpatchEnhance", "ReelpatchFinish", "CreateVideo"))
