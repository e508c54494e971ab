"""One round of the suite: a deployment, a load, faults, rest, and the check of all that happened."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaos.checker import TERMINAL, Checker
from chaos.deployment import Backend, Deployment, Shape
from chaos.faults import Faults
from chaos.history import History
from chaos.load import Actor, Budget

REST_SECONDS = 90.0
"""How long everything may take to come to rest once the faults are over."""


@dataclass(frozen=True)
class Round:
    """What to do: runs at a mean ``rate`` a second, faults with a mean pause of ``gap``; ``minutes`` ends the load."""

    backend: Backend
    runs: int
    seed: int
    clients: int = 16
    gap: float = 0.7
    rate: float = 5.0
    minutes: float | None = None
    kinds: tuple[str, ...] = ()
    """Only these faults; all that the backend can suffer when empty."""


@dataclass
class Report:
    """What came of it."""

    round: Round
    asked: int = 0
    acknowledged: int = 0
    statuses: Counter[str] = field(default_factory=Counter[str])
    attempts: int = 0
    events: int = 0
    connections: int = 0
    answers: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


async def run(asked: Round, root: Path) -> Report:
    """Never raises for what the servers do; that is in the report's violations."""
    began = time.monotonic()
    history = History()
    async with Deployment(Shape.of(asked.backend), root) as deployment:
        faults = Faults(deployment, history)
        watch = asyncio.create_task(faults.watch())
        await _load_and_faults(asked, deployment, history, faults)
        await _rest(deployment, history)
        await Checker(deployment, history).check()
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        report = _report(asked, deployment, history)
        if report.violations:
            report.notes.append(f"the database is in {await asyncio.to_thread(deployment.keep)}")
    report.seconds = time.monotonic() - began
    return report


async def _load_and_faults(asked: Round, deployment: Deployment, history: History, faults: Faults) -> None:
    injecting = asyncio.create_task(faults.inject(asked.seed, gap=asked.gap, only=asked.kinds))
    budget = Budget(asked.runs, asked.rate)
    patience = 24 * 3600.0  # a run that hangs after the faults is reported by name
    actors = [
        Actor(
            f"{asked.seed}-{number}",
            deployment.urls,
            history,
            budget,
            random.Random(f"{asked.seed} {number}"),
            told=faults.told,
            patience=patience,
        )
        for number in range(asked.clients)
    ]
    living = [asyncio.create_task(actor.live(), name=f"client {actor.name}") for actor in actors]
    deadline = time.monotonic() + 60.0 * (asked.minutes or 24 * 60)
    while budget.left > 0 and time.monotonic() < deadline and not injecting.done():
        await asyncio.wait([injecting], timeout=0.2)
    budget.stopped = True
    faults.stopping.set()
    await injecting
    await _finish(living, history)


async def _finish(living: list[asyncio.Task[None]], history: History) -> None:
    """The clients come to their ends by themselves, with nothing failing any more."""
    _, hanging = await asyncio.wait(living, timeout=REST_SECONDS)
    for task in living:
        if task in hanging:
            task.cancel()
            history.violate(
                f"{task.get_name()} still waits for an answer or an end {REST_SECONDS:g} s after the faults"
            )
        elif (error := task.exception()) is not None:
            history.violate(f"{task.get_name()} gave up: {error!r}")
    await asyncio.gather(*hanging, return_exceptions=True)


async def _rest(deployment: Deployment, history: History) -> None:
    """Until no run is active."""
    deadline = time.monotonic() + REST_SECONDS
    sql = "SELECT count(*) FROM runs WHERE status IN ('pending', 'running')"
    while deployment.rows(sql) != [(0,)]:
        if time.monotonic() > deadline:
            history.violate(f"runs are still active {REST_SECONDS:g} s after the faults")
            return
        await asyncio.sleep(0.1)


def _report(asked: Round, deployment: Deployment, history: History) -> Report:
    report = Report(asked, asked=len(history.asked), acknowledged=sum(each.acknowledged for each in history.asked))
    report.statuses.update(status for (status,) in deployment.rows("SELECT status FROM runs"))
    report.statuses["gone"] = report.acknowledged - sum(report.statuses[status] for status in TERMINAL)
    ((report.attempts, report.events),) = deployment.rows("SELECT sum(attempt), sum(event_seq) FROM runs")
    report.connections = sum(view.connections for each in history.asked for view in each.views)
    report.answers, report.violations = history.answers, history.violations
    report.faults.update(fault.kind for fault in history.faults)
    if asked.backend == "sqlite" and deployment.disk is None:
        report.notes.append("no disk could be mounted by this user: 'disk full' was a limit on the size of files")
    return report
