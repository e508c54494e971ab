"""What the SQLite engine promises of a group: each job is done as a whole or not at all, whatever the others do."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.backends.clock import SystemClock
from treadle.backends.engine.connection import Connection, Work
from treadle.backends.engine.sqlite import SqliteEngine

SECONDS = 20
Kind = Literal["writes", "refuses", "fails"]


class Refused(Exception):
    pass


def test_a_job_that_raises_takes_nothing_of_the_others_with_it() -> None:
    with tempfile.TemporaryDirectory() as directory:
        engine = SqliteEngine(Path(directory) / "db", clock=SystemClock())
        engine.start()
        engine.submit(lambda conn: conn.execute("CREATE TABLE marks (job INTEGER NOT NULL)")).result(SECONDS)
        try:
            _check_groups(engine)
        finally:
            engine.close()


def _check_groups(engine: SqliteEngine) -> None:
    @settings(max_examples=60, deadline=None)
    @given(kinds=st.lists(st.sampled_from(("writes", "refuses", "fails")), min_size=1, max_size=8))
    def check(kinds: list[Kind]) -> None:
        told: list[int] = []
        commits = engine.commits
        futures = _together(engine, [_job(engine, number, kind, told) for number, kind in enumerate(kinds)])
        errors = [type(future.exception(SECONDS)) for future in futures]
        assert errors == [type(None) if kind == "writes" else Refused for kind in kinds]
        done = [number for number, kind in enumerate(kinds) if kind == "writes"]
        assert [future.result() for future in futures if future.exception() is None] == done
        assert told == done
        assert engine.snapshot(lambda conn: conn.execute("SELECT job FROM marks ORDER BY rowid").fetchall()) == [
            (number,) for number in done
        ]
        assert engine.commits == commits + 2, "they are one group, after the one that held them up"
        engine.submit(lambda conn: conn.execute("DELETE FROM marks")).result(SECONDS)

    check()


def _together(engine: SqliteEngine, jobs: list[Work[int]]) -> list[Any]:
    """The jobs in one group: they wait while another one is under way."""
    begun, release = threading.Event(), threading.Event()

    def holding(conn: Connection) -> bool:
        begun.set()
        return release.wait(SECONDS)

    held = engine.submit(holding)
    assert begun.wait(SECONDS)
    futures = [engine.submit(job) for job in jobs]
    release.set()
    assert held.result(SECONDS)
    return futures


def _job(engine: SqliteEngine, number: int, kind: Kind, told: list[int]) -> Work[int]:
    def work(conn: Connection) -> int:
        engine.after_commit(lambda: told.append(number))
        if kind == "refuses":
            raise Refused
        conn.execute("INSERT INTO marks (job) VALUES (?)", (number,))
        if kind == "fails":
            raise Refused
        return number

    return work
