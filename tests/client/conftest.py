from __future__ import annotations

import pytest

from client.scripted import Driver


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Each of the two clients in turn."""
    return Driver(request.param)
