"""How much of it: the sizes of all measures, and what one hands back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from treadle.bench.server import Server

Figures = dict[str, float]
"""What a measure found, by name. One that is named as the measure itself is what the measure is about."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``seconds`` is what a measure of a rate may take. Counts are upper bounds where the server is slow: a measure of
    events takes as many as fit into its time. ``quiet_seconds`` are longer than heartbeats are apart."""

    seconds: float = 2.0
    warm_up: float = 0.3
    in_flight: int = 16
    sequential: int = 60
    bursts: int = 5
    events: int = 20_000
    events_of_many: int = 2_000
    many: int = 20
    tokens: int = 4_000
    readers: int = 500
    shared_events: int = 2_000
    streams: int = 5_000
    streamed_runs: int = 500
    quiet_seconds: float = 6.0
    messages: int = 1_000
    steps: int = 10
    runs: int = 500
    fill_seconds: float = 15.0


class Measure(Protocol):
    """Measures one thing on a server that serves the graphs. Raises Unexpected."""

    async def __call__(self, server: Server, plan: Plan) -> Figures: ...


Work = Callable[[], Awaitable[int]]
