from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from e2e.faults.api import Api
from support import shapes
from support.gates import Gates
from support.server_process import Server

PROJECT = Path(__file__).parent / "langgraph.json"

Start = Callable[..., Api]


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path / "gates")


@pytest.fixture
def start(tmp_path: Path, gates: Gates) -> Iterator[Start]:
    """Starts a server of the test's own; the settings are for quick tests unless given."""
    with ExitStack() as stack:

        def run(**settings: Any) -> Api:
            server = Server(PROJECT, tmp_path / "data", env=gates.env, **{"drain_seconds": 1, **settings})
            stack.enter_context(server)
            api = Api(server)
            stack.callback(api.close)
            return api

        yield run
        gates.release_all()


@pytest.fixture(scope="session")
def shared(shape: shapes.Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Gates]]:
    """One server for the tests that need no process of their own."""
    root = tmp_path_factory.mktemp("shared")
    gates = Gates(root / "gates")
    with Server(PROJECT, root / "data", env=gates.env, cancel_seconds=1, heartbeat_seconds=1) as server:
        api = Api(server)
        yield api, gates
        gates.release_all()
        api.close()


@pytest.fixture
def api(shared: tuple[Api, Gates]) -> Api:
    return shared[0]


@pytest.fixture
def gate(shared: tuple[Api, Gates]) -> Iterator[Gates]:
    """The gates of the shared server; what a test still holds is let go."""
    yield shared[1]
    shared[1].release_all()
