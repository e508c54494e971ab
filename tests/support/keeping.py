"""A server whose clock can be put forward, over a project of its own."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from support import shapes
from support.server import GOLDEN, QUICK, Running
from support.transport import StreamingTransport
from treadle.project.load import load_config, load_graphs
from treadle.project.storage import storage_config
from treadle.runtime import Runtime


class Ahead:
    """The real clock, and what it was put forward."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> int:
        return time.time_ns() // 1000 + int(self.seconds * 1e6)

    def monotonic(self) -> float:
        return time.monotonic() + self.seconds

    def minutes(self, minutes: float) -> None:
        self.seconds += minutes * 60


@asynccontextmanager
async def keeping(
    data: Path, *, project: Path = GOLDEN, clock: Ahead | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """A server as ``treadle serve`` makes it, with all that its langgraph.json says."""
    config = load_config(project)
    runtime = Runtime(
        shapes.settings(data, **{**QUICK, **settings}),
        load_graphs(config),
        clock=clock,
        limits=config.limits,
        storage=storage_config(config),
    )
    transport = StreamingTransport(runtime.app)
    async with runtime, httpx.AsyncClient(transport=transport, base_url="http://treadle", timeout=30) as http:
        yield Running(runtime, http)


def project_with(directory: Path, **sections: Any) -> Path:
    """The golden graphs with more in their langgraph.json."""
    config = json.loads((GOLDEN / "langgraph.json").read_text())
    graphs = {name: f"{GOLDEN}/{place.removeprefix('./')}" for name, place in config["graphs"].items()}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "langgraph.json").write_text(json.dumps({"dependencies": [str(GOLDEN)], "graphs": graphs, **sections}))
    return directory
