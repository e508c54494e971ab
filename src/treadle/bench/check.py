"""Check whether a server serves the benchmark's graphs, and write those graphs to a project directory."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from pathlib import Path
from typing import Any, cast

from treadle.bench.cases import Endpoint
from treadle.bench.server import GRAPHS, BadResponse, Server

PROJECT = Path(__file__).parent
FILES = ("graphs.py", "langgraph.json")
PATIENCE_SECONDS = 20.0
_PAGE = 1000  # the most assistants in one response


class GraphsMissing(Exception):
    """The server does not serve all of the benchmark's graphs. ``missing`` holds the names of the others."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(f"it does not serve {', '.join(missing)}")
        self.missing = missing


def check_server(url: str, pid: int | None = None) -> Endpoint:
    """Return the server at ``url`` if it can be measured. Raise GraphsMissing, BadResponse or OSError."""
    return asyncio.run(_check_server(url, pid))


async def _check_server(url: str, pid: int | None) -> Endpoint:
    server = Server.at(url, pid=pid)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assistants = await server.request("/assistants/search", {"limit": _PAGE})
        if not isinstance(assistants, list):
            raise BadResponse(f"no list of assistants: {assistants!r}")
        served = {assistant.get("graph_id") for assistant in cast("list[dict[str, Any]]", assistants)}
        if missing := [name for name in GRAPHS if name not in served]:
            raise GraphsMissing(missing)
        return Endpoint(url, pid, await _creates(server))


async def _creates(server: Server) -> bool:
    """Return whether ``if_not_exists`` creates a thread together with its first run."""
    body = {"assistant_id": "counter", "input": {"count": 0}, "if_not_exists": "create"}
    try:
        await server.request(f"/threads/{uuid.uuid4()}/runs/wait", body)
    except BadResponse:
        return False
    return True


def write_project(directory: Path) -> Path:
    """Copy the graphs and their langgraph.json to a directory, and return the path of the copied langgraph.json."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(PROJECT / name, directory / name)
    return directory / "langgraph.json"
