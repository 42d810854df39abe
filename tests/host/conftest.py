"""What several tests of the host share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.chromium import needed
from tests.host.server import Server, running
from tests.host.tiny_prompt import models_with_backbone
from tests.host.visits import Visits


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as after installing: no files but those that come with Reelpatch."""
    with running(tmp_path_factory.mktemp("browser"), tmp_path_factory.mktemp("no_models")) as started:
        yield started


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory, models_folder: Path) -> Iterator[Server]:
    """A server with tiny files for every recipe."""
    models = models_with_backbone(models_folder, tmp_path_factory.mktemp("stocked_models"))
    with running(tmp_path_factory.mktemp("stocked"), models) as started:
        yield started


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Server:
    """`installed`, where there is a browser for it."""
    needed()
    return request.getfixturevalue("installed")


@pytest.fixture(scope="session")
def visits(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Visits:
    """Visits of that server by the browser."""
    return Visits(server, request.session.items, tmp_path_factory)
