"""A client of a server that the user named."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from treadle.cli import report

if TYPE_CHECKING:
    from treadle.client import Client

PATIENCE_SECONDS = 5.0


@contextmanager
def connected(url: str) -> Generator[Client]:
    """Yields a client once the server has answered: the client's own patience is for one that went away meanwhile."""
    from treadle.client import Client

    with Client(url) as client:
        try:
            httpx.get(f"{url.rstrip('/')}/ok", timeout=PATIENCE_SECONDS, trust_env=False)
        except httpx.HTTPError as error:
            report.fail(
                f"no server answers at {url}: {error or type(error).__name__}",
                hint="`treadle dev` starts one; --url or TREADLE_URL says where it is",
            )
        yield client
