"""``python -m benchmarks.clustered``: a cluster on this machine against the embedded shape, in the same run.

PostgreSQL and Redis of its own, one process that serves, two that execute, all of them on the cores of one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import psycopg
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.server import CONFIG, serving
from support.services import PostgresServer, RedisServer
from treadle.bench.pace import median

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
WORKERS = 2
READY_SECONDS = 90.0
MOST_SECONDS = 15.0
_RUNS = 8

console = Console(width=None if sys.stdout.isatty() else 110)


class Row(NamedTuple):
    title: str
    unit: str
    cluster: list[float]
    embedded: list[float] | None = None
    least_ratio: float | None = None
    most: float | None = None

    @property
    def ratio(self) -> float | None:
        """The median of the ratios within each round."""
        return median([a / b for a, b in zip(self.cluster, self.embedded, strict=True)]) if self.embedded else None

    @property
    def met(self) -> bool:
        by_ratio = self.least_ratio is None or (self.ratio is not None and self.ratio >= self.least_ratio)
        return by_ratio and (self.most is None or median(self.cluster) <= self.most)


class Cluster(NamedTuple):
    """Processes of one deployment. ``url`` is where it serves."""

    url: str
    database: str
    workers: list[subprocess.Popen[str]]


@contextmanager
def cluster(directory: Path) -> Generator[Cluster]:
    """On a PostgreSQL that writes through to the disk as it does by default."""
    with PostgresServer() as postgres, RedisServer() as redis, ExitStack() as stack:
        database = postgres.schema("bench")
        log = stack.enter_context((directory / "cluster.log").open("a"))
        environ = {
            **os.environ,
            "TREADLE_DATABASE_URL": database,
            "TREADLE_REDIS_URL": redis.url,
            "TREADLE_LOG_LEVEL": "warning",
        }
        server, url = _started(["serve", "--workers=0", "--port=0"], environ, log, stack)
        workers = [_started(["worker"], environ, log, stack)[0] for _ in range(WORKERS)]
        yield Cluster(url.split()[-1], database, workers)
        server.terminate()


def _started(
    command: Sequence[str], environ: dict[str, str], log: IO[str], stack: ExitStack
) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "treadle.cli", *command, f"--config={CONFIG}"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    stack.callback(_end, process)
    assert process.stdout is not None
    line = process.stdout.readline()
    if "ready" not in line:
        raise SystemExit(f"{command[0]} did not start; see {log.name}")
    return process, line.strip()


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def load(url: str, measure: str, seconds: float, figure: str | None = None) -> float:
    """What a process of its own measures; ``figure`` if that is called otherwise than the measure."""
    command = [sys.executable, "-m", "treadle.bench.load", url, measure, f"--seconds={seconds}"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=180, check=True)
    return float(json.loads(done.stdout)["figures"][figure or measure])


def one_round(directory: Path, seconds: float) -> Iterator[tuple[str, float]]:
    """The embedded rate is taken before and after that of the cluster, so that what else the machine does hits both."""
    with serving(directory) as embedded:
        load(embedded.url, "threaded_stream", 1.0)
        before = load(embedded.url, "threaded_stream", seconds / 2)
    with cluster(directory) as deployed:
        load(deployed.url, "threaded_stream", 2.0)
        yield "first_event", load(deployed.url, "first_event", seconds, "first_bytes")
        yield "threaded_stream", load(deployed.url, "threaded_stream", seconds)
        yield "threaded_wait", load(deployed.url, "threaded_wait", seconds)
        yield "custom_one", load(deployed.url, "custom_one", seconds)
        yield "takeover", takeover(deployed)
    again = directory / "again"
    again.mkdir()
    with serving(again) as embedded:
        load(embedded.url, "threaded_stream", 1.0)
        yield "embedded", (before + load(embedded.url, "threaded_stream", seconds / 2)) / 2
        yield "embedded_wait", load(embedded.url, "threaded_wait", seconds / 2)
        yield "embedded_custom_one", load(embedded.url, "custom_one", seconds)
        yield "embedded_first_event", load(embedded.url, "first_event", seconds / 2, "first_bytes")


def takeover(deployed: Cluster) -> float:
    """Seconds from the SIGKILL of a worker until all its runs run elsewhere."""
    body = json.dumps({"assistant_id": "waiting", "input": {"seconds": 600}}).encode()
    for _ in range(_RUNS):
        request = urllib.request.Request(f"{deployed.url}/runs", body, {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()
    with psycopg.connect(deployed.database, autocommit=True) as conn:
        _until(conn, "SELECT count(*) = %s FROM runs WHERE status = 'running'", _RUNS)
        victim = deployed.workers[0]
        killed_at = time.monotonic()
        os.kill(victim.pid, signal.SIGKILL)
        _until(
            conn,
            "SELECT count(*) = 0 FROM runs WHERE status IN ('pending', 'running')"
            " AND (status = 'pending' OR worker_id LIKE %s)",
            f"%-{victim.pid}-%",
        )
        return time.monotonic() - killed_at


def _until(conn: psycopg.Connection, question: str, *parameters: object) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not (conn.execute(question.encode(), parameters).fetchone() or (False,))[0]:
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {READY_SECONDS:g} s: {question}")
        time.sleep(0.02)


def table(rows: Sequence[Row]) -> Table:
    shown = Table(title="PostgreSQL + Redis, one API, two workers, against embedded", box=box.SIMPLE)
    for heading in ("", "unit", "cluster", "embedded", "ratio", "target", ""):
        shown.add_column(heading, justify="left" if heading in ("", "unit") else "right", no_wrap=True)
    for row in rows:
        target = f"≥ {row.least_ratio:g}" if row.least_ratio else f"≤ {row.most:g} {row.unit}" if row.most else ""
        met = "" if not target else "[green]met" if row.met else "[red]missed"
        embedded = f"{median(row.embedded):,.3g}" if row.embedded else ""
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        shown.add_row(row.title, row.unit, f"{median(row.cluster):,.3g}", embedded, ratio, target, met)
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clustered", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--check", action="store_true", help="exit code 1 if a target is missed")
    given = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    rounds: list[dict[str, float]] = []
    for number in range(given.rounds):
        console.print(f"[dim]round {number + 1} of {given.rounds}")
        with tempfile.TemporaryDirectory(dir=RESULTS, prefix="run-") as directory:
            rounds.append(dict(one_round(Path(directory), given.seconds)))
    every = {name: [figures[name] for figures in rounds] for name in rounds[0]}
    rows = [
        Row("threaded stream, 16 at once", "runs/s", every["threaded_stream"], every["embedded"], least_ratio=0.5),
        Row("threaded wait, 16 at once", "runs/s", every["threaded_wait"], every["embedded_wait"]),
        Row("custom events, one run", "events/s", every["custom_one"], every["embedded_custom_one"]),
        Row("first event, sequential", "ms", every["first_event"], every["embedded_first_event"], most=15.0),
        Row("runs of a killed worker run again after", "s", every["takeover"], most=MOST_SECONDS),
    ]
    console.print(table(rows))
    report = {"machine": {"cores": os.cpu_count(), "system": platform.platform()}, "rounds": rounds}
    path = RESULTS / time.strftime("cluster-%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps(report, indent=2))
    console.print(f"[dim]{path.relative_to(ROOT)}; load of the machine after: {os.getloadavg()[0]:.1f}")
    return 1 if given.check and not all(row.met for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
