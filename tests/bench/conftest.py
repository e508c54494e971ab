"""A server that serves the graphs of the benchmark, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks.server import Serving, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("bench")) as server:
        yield server
