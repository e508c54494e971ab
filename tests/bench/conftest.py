"""A server of the benchmark's graphs, in its own process, for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks.server import MeasuredServer, start_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasuredServer]:
    with start_server(tmp_path_factory.mktemp("bench")) as server:
        yield server
