"""A client for commands that talk to a running server."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import httpx

from treadle.cli import report

if TYPE_CHECKING:
    from treadle.client import Client

CONNECT_SECONDS = 5.0


@contextmanager
def connected(url: str) -> Generator[Client]:
    """Yield a client once the server has responded.

    Without this check the client's retries would hide a wrong URL for a minute; they are meant for restarts.
    """
    from treadle.client import Client

    with Client(url) as client:
        try:
            httpx.get(f"{url.rstrip('/')}/ok", timeout=CONNECT_SECONDS, trust_env=False)
        except httpx.HTTPError as error:
            no_server(url, error)
        yield client


def no_server(url: str, error: httpx.HTTPError) -> NoReturn:
    report.fail(
        f"no server responds at {url}: {error or type(error).__name__}",
        hint="start one with `treadle dev`, or set --url or TREADLE_URL",
    )
