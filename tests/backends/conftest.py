from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import drop_schema, fresh_schema
from treadle.backends.clock import SystemClock
from treadle.backends.engine import Engine
from treadle.backends.postgres import PostgresEngine
from treadle.backends.sqlite import SqliteEngine


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = SqliteEngine(tmp_path / "test.sqlite3", clock=SystemClock())
        engine.start()
        yield engine
        engine.close()
        return
    url = fresh_schema()
    engine = PostgresEngine(url)
    engine.start()
    yield engine
    engine.close()
    drop_schema(url)
