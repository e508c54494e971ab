"""A served project with auth, and its users."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from support import shapes
from support.transport import StreamingTransport
from treadle.ports.clock import Clock
from treadle.project.auth import auth_config
from treadle.project.load import load_config, load_graphs
from treadle.runtime import Runtime

PROJECT = Path(__file__).parent / "project"


@dataclass(frozen=True)
class Users:
    """Clients of one server: ``ann`` and ``ben`` are authenticated, ``anonymous`` is not."""

    runtime: Runtime
    ann: httpx.AsyncClient
    ben: httpx.AsyncClient
    anonymous: httpx.AsyncClient

    def named(self, name: str) -> httpx.AsyncClient:
        return client(self.runtime, name)


def client(runtime: Runtime, name: str | None) -> httpx.AsyncClient:
    headers = {} if name is None else {"authorization": f"Bearer {name}"}
    return httpx.AsyncClient(
        transport=StreamingTransport(runtime.app), base_url="http://test", headers=headers, timeout=20
    )


@asynccontextmanager
async def serve_users(
    data: Path, project: Path = PROJECT, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[Users]:
    config = load_config(project)
    runtime = Runtime(
        shapes.settings(data, **{"drain_seconds": 0.1, "cancel_seconds": 0.5, **settings}),
        load_graphs(config),
        auth=auth_config(config),
        clock=clock,
    )
    async with (
        runtime,
        client(runtime, "ann") as ann,
        client(runtime, "ben") as ben,
        client(runtime, None) as anonymous,
    ):
        yield Users(runtime, ann, ben, anonymous)


def project_with(directory: Path, auth: str, *, section: dict[str, Any] | None = None) -> Path:
    """A project whose auth.py is ``auth`` after the usual imports; its graphs are those of the tests' project."""
    directory.mkdir(parents=True, exist_ok=True)
    head = "import asyncio, time\nfrom langgraph_sdk import Auth\n\nauth = Auth()\n\n"
    (directory / "auth.py").write_text(head + auth)
    (directory / "graphs.py").write_text((PROJECT / "graphs.py").read_text())
    config = json.loads((PROJECT / "langgraph.json").read_text())
    config["auth"] = {"path": "./auth.py:auth", **(section or {})}
    (directory / "langgraph.json").write_text(json.dumps(config))
    return directory


def ok(response: httpx.Response) -> Any:
    assert response.status_code < 300, (response.status_code, response.text)
    return response.json() if response.content.strip() else None


async def running(user: httpx.AsyncClient, thread_id: str, run_id: str) -> None:
    """Returns once the run runs."""

    async def status() -> bool:
        return ok(await user.get(f"/threads/{thread_id}/runs/{run_id}"))["status"] == "running"

    await until(status)


async def until(what: Callable[[], Awaitable[Any]]) -> Any:
    """Asks until there is something; the test's own time bounds it."""
    while True:
        if found := await what():
            return found
        await asyncio.sleep(0.01)
