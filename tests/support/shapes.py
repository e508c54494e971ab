"""The three shapes that a server can have, and which tests run on which.

A test makes its server over a data directory. On the cluster's shapes that directory stands for a database of its own,
so what is opened again on it finds what was there. ``--shape`` picks the shapes; without it ``CUT`` does.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import hypothesis
import psycopg
from hypothesis import Phase
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from support.databases import give_back, lend_schema, redis_url
from treadle.backends.clock import SystemClock
from treadle.backends.engine.connection import Work
from treadle.backends.engine.dialect import postgres
from treadle.backends.engine.jobs import Engine
from treadle.backends.engine.postgres import PostgresEngine
from treadle.backends.engine.sqlite import SqliteEngine
from treadle.ports.clock import Clock
from treadle.settings import Settings

T = TypeVar("T")
Shape = Literal["sqlite", "postgres", "redis"]

ALL: tuple[Shape, ...] = ("sqlite", "postgres", "redis")
DATABASES: tuple[Shape, ...] = ("sqlite", "postgres")

TESTS = Path(__file__).parents[1]
NEEDED = {"shape", "tmp_path", "tmp_path_factory", "engine"}
"""A test that has none of these fixtures opens no storage."""

SERVERS: tuple[str, ...] = (
    *("auth", "client/test_faults.py", "client/test_live.py", "client/test_stopping.py", "conformance/test_runs.py"),
    *("e2e", "http", "js", "project/test_storage.py", "transcripts/test_records.py", "transcripts/test_runs.py"),
    *("transcripts/test_timing.py", "webhooks"),
)
"""The files and directories that test a server of any shape."""

ENGINES: tuple[str, ...] = ("backends", "worker")
"""The files and directories that test a database engine, with and without Redis alike."""

ONCE: tuple[str, ...] = (
    "backends/migrations",
    "backends/tables/test_agreement.py",
    "e2e/faults/test_chaos.py",
)
"""The files and directories whose tests open every database they need themselves."""

CLUSTERS: tuple[str, ...] = ("e2e/cluster",)
"""The directories that test several processes over one database."""

_CLUSTER_TOO: tuple[Shape, ...] = ("sqlite", "redis")
CUT: dict[str, tuple[Shape, ...]] = {
    "backends": DATABASES,
    "conformance": _CLUSTER_TOO,
    "e2e/cluster": ALL,
    "e2e/faults/test_cancel.py": _CLUSTER_TOO,
    "e2e/faults/test_crash.py": _CLUSTER_TOO,
    "e2e/faults/test_crash.py::test_the_end_of_a_run_is_there_as_a_whole_or_not_at_all": ("sqlite",),
    "e2e/faults/test_hints.py": _CLUSTER_TOO,
    "e2e/faults/test_multitask.py": _CLUSTER_TOO,
    "e2e/faults/test_paused.py": _CLUSTER_TOO,
    "e2e/sdk/test_sdk.py": ALL,
    "e2e/sdk/test_threads.py": DATABASES,
    "e2e/streams": _CLUSTER_TOO,
    "e2e/streams/test_readers.py": ALL,
    "e2e/test_lifecycle.py": DATABASES,
    "e2e/test_limits.py": DATABASES,
    "e2e/threads": _CLUSTER_TOO,
    "e2e/threads/test_thread_stream.py": ALL,
    "http": DATABASES,
    "http/routes/test_crons.py": ("sqlite",),
    "http/routes/test_metrics.py": ("sqlite",),
    "http/routes/test_retry.py": _CLUSTER_TOO,
    "http/routes/test_runs.py": _CLUSTER_TOO,
    "http/routes/test_store.py": _CLUSTER_TOO,
    "http/test_user_app.py": ("sqlite",),
    "project/test_storage.py": _CLUSTER_TOO,
    "transcripts/test_records.py": DATABASES,
    "transcripts/test_runs.py": _CLUSTER_TOO,
    "transcripts/test_timing.py": _CLUSTER_TOO,
    "worker": DATABASES,
}
"""The shapes a test runs on without ``--shape``: the most specific entry counts; without an entry, ``sqlite``."""

ONLY_EMBEDDED: dict[str, str] = {
    "e2e/faults/test_crash.py::test_the_data_directory_of_a_running_server_is_refused": "processes share a database",
    "e2e/faults/test_crash.py::test_the_orphan_runs_within_a_second_of_readiness": "in a cluster the lease decides",
    "e2e/faults/test_disk.py": "the disk is the file's; that of PostgreSQL is its own matter",
    "e2e/threads/test_hold.py::test_a_hold_dies_with_its_process": "in a cluster it expires: other holders may live",
}
"""Tests and files that say what only one process with a file of its own does, and why."""

LEASE_SECONDS = 2.0
"""Of servers that are tests' own processes: one that is killed and started again waits that long for its runs."""

_current: Shape = "sqlite"
_urls: dict[Path, str] = {}


def current() -> Shape:
    return _current


def set_current(shape: Shape) -> None:
    global _current
    _current = shape


def embedded() -> bool:
    """Whether one process has the storage to itself."""
    return _current == "sqlite"


def storage(data: Path) -> dict[str, str]:
    """The settings that name the storage of a directory, beside the directory."""
    if _current == "sqlite":
        return {}
    urls = {"database_url": database_url(data)}
    return {**urls, "redis_url": redis_url()} if _current == "redis" else urls


def database_url(data: Path) -> str:
    """The directory's database, the same one each time."""
    key = data.resolve()
    if key not in _urls:
        _urls[key] = lend_schema()
    return _urls[key]


def environment(data: Path) -> dict[str, str]:
    """``storage`` and a short lease, as the settings of a process."""
    told = storage(data)
    if told:
        told["lease_seconds"] = str(LEASE_SECONDS)
    return {f"TREADLE_{name.upper()}": value for name, value in told.items()}


def settings(data: Path, **given: Any) -> Settings:
    return Settings(data=data, **{**storage(data), **given})


def open_engine(data: Path, clock: Clock | None = None) -> Engine:
    """An engine of the test's own on what a server over ``data`` has open, or will have."""
    if _current == "sqlite":
        data.mkdir(parents=True, exist_ok=True)
        engine = SqliteEngine(Settings(data=data).database, clock=clock or SystemClock())
    else:
        engine = PostgresEngine(database_url(data), clock=clock)
    engine.start()
    return engine


@contextmanager
def engine_on(data: Path, clock: Clock | None = None) -> Iterator[Engine]:
    engine = open_engine(data, clock)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def fresh_engine(clock: Clock | None = None) -> Iterator[Engine]:
    """An engine on storage of its own, which goes with it: one for each of hypothesis's examples."""
    with tempfile.TemporaryDirectory() as data, databases_of_a_test(), engine_on(Path(data), clock) as engine:
        yield engine


def walk(machine: type[RuleBasedStateMachine], **chosen: Any) -> None:
    """Walks a state machine as ``chosen`` says; half as often where every step goes over a socket."""
    if not embedded():
        chosen["max_examples"] //= 2
    # Without shrinking, which may take longer than a test is given: then nothing at all would be reported.
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    run_state_machine_as_test(machine, settings=hypothesis.settings(deadline=None, phases=phases, **chosen))


def written(data: Path, work: Work[T]) -> T:
    """What a write job comes to, done past the server."""
    with engine_on(data) as engine:
        return engine.submit(work).result(20)


def rows(data: Path, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """What a query finds in the storage of ``data``, whether a server runs over it or not."""
    if embedded():
        with closing(sqlite3.connect(Settings(data=data).database, timeout=10.0)) as connection:
            return connection.execute(sql, parameters).fetchall()
    with psycopg.connect(database_url(data), autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        return connection.execute(postgres(sql).text, parameters).fetchall()


def of(test: str, wanted: str | None) -> tuple[Shape, ...] | None:
    """The shapes on which a test (``file::function`` below tests/) is to run; None if it has none."""
    able = _able(test)
    if able is None or wanted == "all":
        return able
    chosen = (wanted,) if wanted else _nearest(test, CUT) or ("sqlite",)
    return tuple(shape for shape in able if shape in chosen)


def _able(test: str) -> tuple[Shape, ...] | None:
    if _nearest(test, dict.fromkeys(ONCE, True)):
        return None
    if _nearest(test, ONLY_EMBEDDED):
        return ("sqlite",)
    if _nearest(test, dict.fromkeys(ENGINES, True)):
        return DATABASES
    if _nearest(test, dict.fromkeys(CLUSTERS, True)):
        return ("postgres", "redis")
    return ALL if _nearest(test, dict.fromkeys(SERVERS, True)) else None


def _nearest(test: str, table: Mapping[str, T]) -> T | None:
    """What a table of tests, files and directories says of a test."""
    file, _, _ = test.partition("::")
    places = (test, file, *map(str, Path(file).parents))
    return next((table[place] for place in places if place in table), None)


@contextmanager
def databases_of_a_test() -> Iterator[None]:
    """What was made meanwhile is taken away in the end."""
    before = set(_urls)
    try:
        yield
    finally:
        for data in _urls.keys() - before:
            give_back(_urls.pop(data))
