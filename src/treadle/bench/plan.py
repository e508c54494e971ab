"""The sizes of all measures, and the type of a measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from treadle.bench.server import Server

Figures = dict[str, float]
"""Figures by name. The main figure has the name of the measure."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sizes. ``seconds`` is the duration of each measurement of a rate. Counts are upper bounds: on a slow server, a
    measure of events uses fewer. ``quiet_seconds`` is longer than the interval of heartbeats."""

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
    """Measures a server that serves the graphs. Raises BadResponse."""

    async def __call__(self, server: Server, plan: Plan) -> Figures: ...
