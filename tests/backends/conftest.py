from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import shapes
from treadle.backends.engine.jobs import Engine


@pytest.fixture
def engine(shape: shapes.Shape, tmp_path: Path) -> Iterator[Engine]:
    with shapes.engine_on(tmp_path / "data") as engine:
        yield engine
