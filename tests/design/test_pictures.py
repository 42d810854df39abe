"""Every template has a picture of its own: no two are the same."""

from __future__ import annotations

import hashlib

from workflows.describe import paths
from workflows.templates import WORKFLOWS
from workflows.thumbnails import CLIPS


def test_no_two_templates_have_the_same_picture() -> None:
    pictures = {workflow.name: paths(workflow)[0].with_suffix(".jpg") for workflow in WORKFLOWS}
    seen: dict[str, str] = {}
    for name, path in pictures.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest not in seen, (name, seen.get(digest))
        seen[digest] = name


def test_each_of_the_demo_s_clips_is_shown_once() -> None:
    assert len(set(CLIPS.values())) == len(CLIPS)
