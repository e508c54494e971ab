"""Databases for tests: a fresh schema of a PostgreSQL server that this test process starts once, and a Redis beside it.

``TREADLE_TEST_POSTGRES`` and ``TREADLE_TEST_REDIS`` name servers to use instead."""

from __future__ import annotations

import atexit
import os
import uuid
from functools import cache
from typing import TypeVar

import psycopg
import pytest

from support.services import PostgresServer, RedisServer, ServiceMissing
from treadle.backends.engine.postgres_schema import migrate

_KEPT = 4
# What refers to others was made after them, and goes first.
_TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
AND relname <> 'treadle_schema' ORDER BY oid DESC
"""
_given_back: list[str] = []
_lent: dict[str, list[str]] = {}


S = TypeVar("S", PostgresServer, RedisServer)


def _started(server: S) -> S:
    """A machine without the program runs the tests of the other shapes."""
    try:
        return server.start()
    except ServiceMissing as missing:
        pytest.skip(str(missing))


@cache
def postgres_url() -> str:
    if url := os.environ.get("TREADLE_TEST_POSTGRES"):
        return url
    server = _started(PostgresServer(fsync=False))
    atexit.register(server.__exit__, None, None, None)
    return server.url


@cache
def redis_url() -> str:
    if url := os.environ.get("TREADLE_TEST_REDIS"):
        return url
    server = _started(RedisServer())
    atexit.register(server.__exit__, None, None, None)
    return server.url


def fresh_schema(*, migrated: bool = True) -> str:
    """The URL of a new schema."""
    name = f"t{uuid.uuid4().hex[:16]}"
    with psycopg.connect(postgres_url(), autocommit=True) as conn:
        conn.execute(f"CREATE SCHEMA {name}")
    base, mark, options = postgres_url().partition("?")
    assert not mark, f"the URL of a test server has no options of its own, this one has {options}"
    url = f"{base}?options=-csearch_path%3D{name}"
    if migrated:
        migrate(url)
    return url


def drop_schema(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET client_min_messages = warning")
        conn.execute(f"DROP SCHEMA {url.rpartition('%3D')[2]} CASCADE")


def lend_schema() -> str:
    """The URL of a schema with empty tables, which others may have used: migrating takes time."""
    if _given_back:
        return _given_back.pop()
    url = fresh_schema()
    with psycopg.connect(url, autocommit=True) as conn:
        _lent[url] = _tables(conn)
    return url


def give_back(url: str) -> None:
    """The borrower's connections are closed."""
    with psycopg.connect(url, autocommit=True) as conn:
        tables = _tables(conn)
        fit = tables == _lent[url] and len(_given_back) < _KEPT
        if fit:
            deletions = (f"DELETE FROM {name};" for name in tables)
            conn.execute(f"SET lock_timeout = '10s'; BEGIN; {' '.join(deletions)} COMMIT".encode())
            _given_back.append(url)
    if not fit:
        del _lent[url]
        drop_schema(url)


def _tables(conn: psycopg.Connection) -> list[str]:
    return [name for (name,) in conn.execute(_TABLES)]
