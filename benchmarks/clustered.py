"""Compare a cluster on this machine with the embedded setup, in one run: ``python -m benchmarks.clustered``.

The cluster is a private PostgreSQL and Redis, one API process and two workers, all on the cores of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from benchmarks import comparison, report
from benchmarks.comparison import Row, Target, at_most, to_bare
from benchmarks.output import console, each_round, write
from benchmarks.server import CONFIG, start_server
from support.services import PostgresServer, RedisServer
from treadle.bench.cases import Case, Endpoint, LoadGenerator
from treadle.bench.rows import Row as ServedRow
from treadle.cli.server_process import ServerProcess

WORKERS = 2
READY_SECONDS = 90.0
RUNS = 8


def _row(figure: str, title: str, unit: str, *targets: Target, less: bool = False) -> Row:
    """A row whose "bare" figure is that of the embedded server."""
    return Row(ServedRow(figure, title, unit, less), f"bare.{figure}", targets)


ROWS = (
    _row("threaded_stream", "threaded streams, 16 in flight", "runs/s", to_bare(0.5, "embedded")),
    _row("threaded_wait", "threaded waits, 16 in flight", "runs/s"),
    _row("custom_one", "custom events, one run", "events/s"),
    _row("first_bytes", "first event, one run after another", "ms", at_most(15, "ms"), less=True),
    Row(ServedRow("takeover", "takeover of a killed worker's runs", "s", less=True), None, (at_most(15, "s"),)),
)


class Cluster(NamedTuple):
    """The processes of one deployment. ``url`` is the address of its API."""

    url: str
    database: str
    workers: list[ServerProcess]


@contextmanager
def start_cluster(directory: Path) -> Generator[Cluster]:
    """Start a cluster on a PostgreSQL that flushes each commit to disk, as it does by default."""
    with PostgresServer() as postgres, RedisServer() as redis, ExitStack() as stack:
        database = postgres.schema("bench")
        shared = [f"--database-url={database}", f"--redis-url={redis.url}", "--log-level=warning", f"--config={CONFIG}"]

        def start(command: str, *arguments: str) -> ServerProcess:
            process = ServerProcess([*arguments, *shared], log=directory / "cluster.log")
            process.command[3] = command
            stack.callback(process.stop)
            process.start()
            return process

        server = start("serve", "--workers=0", "--port=0")
        yield Cluster(server.url or "", database, [start("worker") for _ in range(WORKERS)])


def measure(url: str, name: str, seconds: float) -> float:
    """Return a figure of the load generator. ``first_bytes`` is the second figure of the case ``first_event``."""
    case = Case("first_event" if name == "first_bytes" else name)
    return LoadGenerator(seconds)(Endpoint(url), case).figures[name]


def one_round(directory: Path, seconds: float) -> Iterator[tuple[str, float]]:
    """Measure the embedded server before and after the cluster, so that other load on the machine affects both."""
    names = [row.of.figure for row in ROWS if row.bare]
    before = dict(_embedded(directory / "before", names, seconds / 2))
    with start_cluster(directory) as cluster:
        measure(cluster.url, "threaded_stream", 2.0)  # warm up
        for name in names:
            yield f"treadle.{name}", measure(cluster.url, name, seconds)
        yield "treadle.takeover", takeover(cluster)
    for name, value in _embedded(directory / "after", names, seconds / 2):
        yield f"bare.{name}", (before[name] + value) / 2


def _embedded(directory: Path, names: list[str], seconds: float) -> Iterator[tuple[str, float]]:
    directory.mkdir()
    with start_server(directory) as embedded:
        measure(embedded.url, "threaded_stream", 1.0)  # warm up
        yield from ((name, measure(embedded.url, name, seconds)) for name in names)


def takeover(cluster: Cluster) -> float:
    """Return the seconds from the SIGKILL of a worker until all of its runs are running on the other worker."""
    body = json.dumps({"assistant_id": "waiting", "input": {"seconds": 600}}).encode()
    for _ in range(RUNS):
        request = urllib.request.Request(f"{cluster.url}/runs", body, {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()
    with psycopg.connect(cluster.database, autocommit=True) as conn:
        _wait_until(conn, "SELECT count(*) = %s FROM runs WHERE status = 'running'", RUNS)
        victim = cluster.workers[0]
        killed_at = time.monotonic()
        victim.kill()
        _wait_until(
            conn,
            "SELECT count(*) = 0 FROM runs WHERE status IN ('pending', 'running')"
            " AND (status = 'pending' OR worker_id LIKE %s)",
            f"%-{victim.pid}-%",
        )
        return time.monotonic() - killed_at


def _wait_until(conn: psycopg.Connection, condition: str, *parameters: object) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not (conn.execute(condition.encode(), parameters).fetchone() or (False,))[0]:
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {READY_SECONDS:g} s: {condition}")
        time.sleep(0.02)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clustered", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the median of this many (default 3)")
    parser.add_argument("--seconds", type=float, default=6.0, help="duration of each measurement (default 6)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args()
    rounds = [dict(one_round(directory, options.seconds)) for directory in each_round(options.rounds)]
    results = comparison.compare(rounds, ROWS)
    columns = report.headings(None, "cluster", "embedded")
    console.print(report.table(results, "PostgreSQL + Redis, one API process, two workers, against embedded", columns))
    path = write({"machine": report.machine(), "rounds": rounds}, "cluster-")
    console.print(f"[dim]{path}; load average of the machine after: {os.getloadavg()[0]:.1f}")
    return report.exit_code(results, options.check)


if __name__ == "__main__":
    sys.exit(main())
