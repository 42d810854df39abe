"""How `pytest -n` hands out tests: whole files, long ones first, and those that share a ComfyUI server to one worker."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# The fixture `installed` serves the first, `stocked` the others.
ON_ONE_SERVER = (
    (
        "tests/host/test_browser.py",
        "tests/host/test_mask_track_editor.py",
        "tests/host/test_pair_workflows.py",
    ),
    ("tests/host/test_server.py", "tests/host/test_comfy_servers.py"),
)


class WholeFiles(LoadFileScheduling):
    """Files in the order in which they were collected, which xdist would sort by their number of tests."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        """The file of a test, or the first of the files that share its server."""
        file = super()._split_scope(nodeid)
        return next((files[0] for files in ON_ONE_SERVER if file in files), file)
