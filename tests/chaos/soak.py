"""A steady mixed load with short retention: memory may not grow with runs, and everything else must come back.

``python -m chaos.soak --minutes 5 --backend sqlite`` (with ``PYTHONPATH=tests``), or ``make soak ARGS=...``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import httpx
from rich.console import Console
from rich.table import Table

from chaos.deployment import BACKENDS, PROJECT, Deployment, Shape
from chaos.history import History
from chaos.load import Actor, Budget
from chaos.programs import Program

WARM_SECONDS = 20.0
REST_SECONDS = 150.0
EVERY_SECONDS = 2.0
KEPT_MINUTES = 0.3
"""How long threads are kept after their last change."""
KIB_PER_RUN = 2.0
"""What the memory of all processes together may grow by, for each run, over the second half."""
NOISE_KIB = 16 * 1024
"""Less growth than that in all says nothing yet: caches and arenas fill up for some thousand runs."""
SPARE = {"threads": 4, "descriptors": 8}
"""Pools grow to their size, and a keep-alive connection may be a moment from its end."""
SETTLED = ("assistants", "assistant_versions", "workers")
"""Tables that hold what is there without any run."""


@dataclass
class Sample:
    """``memory`` in KiB. All but the rows are of one process."""

    at: float
    runs: int
    memory: dict[str, int]
    threads: dict[str, int]
    descriptors: dict[str, int]
    streams: int
    rows: int


@dataclass
class Soak:
    samples: list[Sample] = field(default_factory=list[Sample])
    rows_before: dict[str, int] = field(default_factory=dict[str, int])
    rows_after: dict[str, int] = field(default_factory=dict[str, int])
    breaches: list[str] = field(default_factory=list[str])


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos.soak", description=__doc__)
    parser.add_argument("--backend", choices=BACKENDS, default="sqlite")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=15.0, help="runs asked for in a second")
    parser.add_argument("--clients", type=int, default=12)
    arguments = parser.parse_args()
    console = Console(width=max(110, Console().width))
    root = Path(tempfile.mkdtemp(prefix="treadle-soak-"))
    soak = asyncio.run(_soak(arguments, root))
    console.print(_table(soak))
    for breach in soak.breaches:
        console.print(f"[red]breach:[/red] {breach}", highlight=False)
    if not soak.breaches:
        console.print("[green]everything came back")
        shutil.rmtree(root, ignore_errors=True)
    return 1 if soak.breaches else 0


async def _soak(arguments: argparse.Namespace, root: Path) -> Soak:
    soak, history = Soak(), History()
    quick = {"stateless_retention_seconds": 3, "idempotency_seconds": 10, "lease_seconds": 5}
    shape = Shape.of(arguments.backend, **quick)
    shape.project = _project(root)
    async with Deployment(shape, root / "round") as deployment:
        soak.rows_before = _rows(deployment)
        await _load(arguments, deployment, history, WARM_SECONDS, random.Random(1))
        await _back(deployment, soak.rows_before)
        baseline = await _sample(deployment, history)
        soak.samples.append(baseline)
        loading = asyncio.create_task(_load(arguments, deployment, history, 60 * arguments.minutes, random.Random(2)))
        while not loading.done():
            await asyncio.wait([loading], timeout=EVERY_SECONDS)
            soak.samples.append(await _sample(deployment, history))
        await loading
        await _back(deployment, soak.rows_before)
        soak.rows_after = _rows(deployment)
        soak.samples.append(await _sample(deployment, history))
    soak.breaches.extend(history.violations)
    soak.breaches.extend(_breaches(soak, baseline))
    return soak


def _project(root: Path) -> Path:
    """The project of the fault suite, whose threads go soon after their last change."""
    config = json.loads(PROJECT.read_text())
    config["graphs"] = {name: str(PROJECT.parent / place) for name, place in config["graphs"].items()}
    config["dependencies"] = [str(PROJECT.parent)]
    ttl = {"strategy": "delete", "default_ttl": KEPT_MINUTES, "sweep_interval_minutes": 0.05}
    file = root / "langgraph.json"
    file.write_text(json.dumps({**config, "checkpointer": {"ttl": ttl}}))
    return file


async def _load(
    arguments: argparse.Namespace, deployment: Deployment, history: History, seconds: float, chance: random.Random
) -> None:
    """Runs of every kind but those that break something on purpose."""
    budget = Budget(10**9, arguments.rate)
    living = [
        asyncio.create_task(
            Actor(
                f"s{chance.getrandbits(40)}",
                deployment.urls,
                history,
                budget,
                random.Random(chance.getrandbits(32)),
                told=lambda moment: None,
                patience=60.0,
                mishaps=("raise",),
            ).live()
        )
        for _ in range(arguments.clients)
    ]
    await asyncio.wait(living, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    budget.stopped = True
    await asyncio.gather(*living)


async def _back(deployment: Deployment, before: dict[str, int]) -> None:
    """Until retention has taken what the load made, or for as long as that may take."""
    deadline = time.monotonic() + REST_SECONDS
    while _changed(before, _rows(deployment)) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(1.0)
    await asyncio.sleep(3.0)  # idle connections of clients are noticed as closed


async def _sample(deployment: Deployment, history: History) -> Sample:
    programs = deployment.programs
    return Sample(
        time.monotonic(),
        len(history.asked),
        {program.name: _status(program, "VmRSS") for program in programs},
        {program.name: _status(program, "Threads") for program in programs},
        {program.name: len(os.listdir(f"/proc/{program.pid}/fd")) for program in programs},
        await _streams(deployment),
        sum(_rows(deployment).values()),
    )


async def _streams(deployment: Deployment) -> int:
    async with httpx.AsyncClient(trust_env=False, timeout=10.0) as http:
        texts = [(await http.get(f"{url}/metrics")).text for url in deployment.direct_urls]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("treadle_streams_open ")]
    return int(sum(float(line.split()[1]) for line in lines))


def _status(program: Program, name: str) -> int:
    lines = Path(f"/proc/{program.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _rows(deployment: Deployment) -> dict[str, int]:
    tables = [table for table in deployment.tables() if table not in SETTLED]
    return {table: deployment.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def _changed(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    return {table: (before.get(table, 0), count) for table, count in after.items() if count != before.get(table, 0)}


def _breaches(soak: Soak, baseline: Sample) -> Iterable[str]:
    last = soak.samples[-1]
    for table, (before, after) in _changed(soak.rows_before, soak.rows_after).items():
        yield f"table {table} had {before} rows before the load and has {after} after retention"
    for what in ("threads", "descriptors"):
        for name, count in getattr(last, what).items():
            if count > getattr(baseline, what)[name] + SPARE[what]:
                yield f"{name} has {count} {what}, {getattr(baseline, what)[name]} before"
    if last.streams:
        yield f"{last.streams} streams are open with no reader left"
    slope = _slope(soak.samples)
    half = soak.samples[-1].runs - soak.samples[len(soak.samples) // 2].runs
    if slope > KIB_PER_RUN and slope * half > NOISE_KIB:
        yield f"memory grows by {slope:.2f} KiB for each run"


def _slope(samples: list[Sample]) -> float:
    """Least squares over the second half of the load: KiB of all processes together for each run."""
    half = samples[len(samples) // 2 : -1]
    if len(half) < 3 or half[0].runs == half[-1].runs:
        return 0.0
    runs = [float(sample.runs) for sample in half]
    memory = [float(sum(sample.memory.values())) for sample in half]
    middle, mean = fmean(runs), fmean(memory)
    spread = sum((run - middle) ** 2 for run in runs)
    return sum((run - middle) * (size - mean) for run, size in zip(runs, memory, strict=True)) / spread


def _table(soak: Soak) -> Table:
    table = Table(title=f"soak: {_slope(soak.samples):+.2f} KiB for each run over the second half")
    for column in ("seconds", "runs", "rows", "streams", "process", "memory MiB", "threads", "descriptors"):
        table.add_column(column, justify="left" if column == "process" else "right")
    first = soak.samples[0].at
    step = max(1, len(soak.samples) // 10)
    for sample in [*soak.samples[:-1:step], soak.samples[-1]]:
        names = list(sample.memory)
        table.add_row(
            *(f"{sample.at - first:.0f}", str(sample.runs), str(sample.rows), str(sample.streams)),
            "\n".join(names),
            "\n".join(f"{sample.memory[name] / 1024:.1f}" for name in names),
            "\n".join(str(sample.threads[name]) for name in names),
            "\n".join(str(sample.descriptors[name]) for name in names),
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
