"""A server as a process of its own, and RemoteGraph against it, once by its sync and once by its async half."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.remote.driver import Connect
from support import shapes
from support.server_process import Server

PROJECT = Path(__file__).parent / "project" / "langgraph.json"


@pytest.fixture(scope="session")
def url(shape: shapes.Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Server(PROJECT, tmp_path_factory.mktemp("remote") / "data") as server:
        yield server.url


@pytest.fixture(params=["sync", "async"])
def connect(url: str, request: pytest.FixtureRequest) -> Iterator[Connect]:
    if request.param == "sync":
        remotes = Connect(url, None)
        yield remotes
        remotes.close()
        return
    with asyncio.Runner() as runner:
        remotes = Connect(url, runner)
        yield remotes
        remotes.close()


@pytest.fixture
def thread() -> dict[str, Any]:
    """The config of a thread that does not exist yet; RemoteGraph has it made."""
    return {"configurable": {"thread_id": str(uuid.uuid4())}}
