from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from auth.serving_users import Users, serve_users


@pytest.fixture
async def users(tmp_path: Path) -> AsyncIterator[Users]:
    async with serve_users(tmp_path) as users:
        yield users
