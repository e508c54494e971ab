"""A whole server over real storage and real graphs, driven in process, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from support import shapes
from support.transport import StreamingTransport
from treadle.graph.graphs import Graphs
from treadle.project.load import load_config, load_graphs
from treadle.runtime import Runtime

GRAPHS = Path(__file__).parent / "graphs"


@dataclass(frozen=True)
class Served:
    http: httpx.AsyncClient
    runtime: Runtime
    graphs: Graphs


@asynccontextmanager
async def served(data: Path, **settings: Any) -> AsyncIterator[Served]:
    graphs = load_graphs(load_config(GRAPHS))
    async with Runtime(shapes.settings(data, **settings), graphs) as runtime:
        transport = StreamingTransport(runtime.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=20) as http:
            yield Served(http, runtime, graphs)
