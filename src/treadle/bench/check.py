"""Is it a server that can be measured?"""

from __future__ import annotations

import asyncio
import shutil
import uuid
from pathlib import Path
from typing import Any, cast

from treadle.bench.server import GRAPHS, Server, Unexpected
from treadle.bench.take import Target

PROJECT = Path(__file__).parent
FILES = ("graphs.py", "langgraph.json")
PATIENCE_SECONDS = 20.0
_MOST = 1000  # assistants a server gives at once


class NotServed(Exception):
    """The server does not serve the graphs that are measured. ``missing`` are their names."""

    def __init__(self, missing: list[str]) -> None:
        super().__init__(f"it does not serve {', '.join(missing)}")
        self.missing = missing


def checked(url: str, pid: int | None = None) -> Target:
    """The server at ``url``, with what it can do. Raises NotServed, Unexpected and OSError."""
    return asyncio.run(_checked(url, pid))


async def _checked(url: str, pid: int | None) -> Target:
    server = Server.at(url, pid=pid)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assistants = await server.ask("/assistants/search", {"limit": _MOST})
        if not isinstance(assistants, list):
            raise Unexpected(f"no list of assistants: {assistants!r}")
        served = {assistant.get("graph_id") for assistant in cast("list[dict[str, Any]]", assistants)}
        if missing := [name for name in GRAPHS if name not in served]:
            raise NotServed(missing)
        return Target(url, pid, await _creates(server))


async def _creates(server: Server) -> bool:
    """Whether a run may name a thread that is not there yet."""
    body = {"assistant_id": "counter", "input": {"count": 0}, "if_not_exists": "create"}
    try:
        await server.ask(f"/threads/{uuid.uuid4()}/runs/wait", body)
    except Unexpected:
        return False
    return True


def write_project(directory: Path) -> Path:
    """Copies the graphs and their langgraph.json, for servers that keep files beside a project; where the latter is."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(PROJECT / name, directory / name)
    return directory / "langgraph.json"
