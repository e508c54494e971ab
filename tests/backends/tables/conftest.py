from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import shapes
from support.queue_driver import Clock, Queueing


@pytest.fixture
def queueing(shape: shapes.Shape, tmp_path: Path) -> Iterator[Queueing]:
    clock = Clock()
    with shapes.engine_on(tmp_path / "data", clock) as engine:
        yield Queueing(engine, clock)
