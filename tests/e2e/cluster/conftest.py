from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e.cluster.processes import Cluster, cluster_over


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster_over(tmp_path / "data") as cluster:
        yield cluster
