"""Prepare a PostgreSQL database before it is opened: wait until it responds, and check or migrate its schema.

Imported on use, so that an embedded server starts without loading a driver.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
import structlog

from treadle.backends.engine import postgres_schema as schema
from treadle.errors import TreadleError
from treadle.settings import Settings

logger = structlog.get_logger("treadle")

T = TypeVar("T")

_RETRY_SECONDS = 0.5
_TELL_SECONDS = 5.0
_CONNECT_SECONDS = 5


class DatabaseUnusable(TreadleError):
    """The database does not respond, or refuses a required operation."""


def opened(settings: Settings, open: Callable[[], T]) -> T:
    """Return the result of ``open``, called once the database responds and its schema is current."""

    def fitted() -> T:
        _fit(settings)
        return open()

    return _reached(settings.database_url, fitted, settings.database_wait_seconds)


def _fit(settings: Settings) -> None:
    if not settings.migrate:
        schema.require_current(settings.database_url)
        return
    before, after = schema.migrate(settings.database_url)
    if before != after:
        logger.info("the database's schema is up to date", before=before, after=after)


def migrate(settings: Settings) -> tuple[int, int]:
    """Migrate the database to the newest schema. Returns the versions before and after. Raises ConfigError,
    DatabaseUnusable."""
    url = settings.database_url
    return _reached(url, lambda: schema.migrate(url), settings.database_wait_seconds)


def require_current(settings: Settings) -> int:
    """The version of the database's schema. Raises ConfigError if it must be migrated, otherwise as ``migrate``
    does."""

    def look() -> int:
        schema.require_current(settings.database_url)
        return schema.schema_version(settings.database_url)

    return _reached(settings.database_url, look, settings.database_wait_seconds)


def versions(settings: Settings) -> tuple[int, int]:
    """The database's schema version, and the newest one this release supports. Raises DatabaseUnusable."""
    url = settings.database_url
    return _reached(url, lambda: schema.schema_version(url), 0.0), schema.newest_version()


def _reached(url: str, work: Callable[[], T], seconds: float) -> T:
    """Return the result of ``work``, waiting up to ``seconds`` for the database. Raises DatabaseUnusable."""
    began = time.monotonic()
    told: float | None = None
    while True:
        try:
            psycopg.connect(url, connect_timeout=_CONNECT_SECONDS).close()
            return work()
        except psycopg.OperationalError as error:
            now, why = time.monotonic(), _line(error)
            left = began + seconds - now
            if left < _RETRY_SECONDS:
                raise DatabaseUnusable(f"the database cannot be reached: {why}") from error
            if told is None or now - told >= _TELL_SECONDS:
                told = now
                logger.warning("the database does not respond yet", error=why, seconds_left=round(left, 1))
        except psycopg.Error as error:
            raise DatabaseUnusable(f"the database cannot be used: {_line(error)}") from error
        time.sleep(_RETRY_SECONDS)


def _line(error: Exception) -> str:
    """The driver's message. It cannot quote a malformed URL, because the settings have checked it."""
    return " ".join(str(error).split()) or type(error).__name__
