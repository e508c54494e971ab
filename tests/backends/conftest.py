from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.backends.clock import SystemClock
from treadle.backends.sqlite import SqliteEngine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SqliteEngine]:
    engine = SqliteEngine(tmp_path / "test.sqlite3", clock=SystemClock())
    engine.start()
    yield engine
    engine.close()
