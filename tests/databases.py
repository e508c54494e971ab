"""Databases for tests: a fresh schema of a PostgreSQL server that this test process starts once, and a Redis beside it.

``TREADLE_TEST_POSTGRES`` and ``TREADLE_TEST_REDIS`` name servers to use instead."""

from __future__ import annotations

import atexit
import os
import uuid
from functools import cache

import psycopg

from services import PostgresServer, RedisServer
from treadle.backends.postgres_schema import migrate


@cache
def postgres_url() -> str:
    if url := os.environ.get("TREADLE_TEST_POSTGRES"):
        return url
    server = PostgresServer(fsync=False).start()
    atexit.register(server.__exit__, None, None, None)
    return server.url


@cache
def redis_url() -> str:
    if url := os.environ.get("TREADLE_TEST_REDIS"):
        return url
    server = RedisServer().start()
    atexit.register(server.__exit__, None, None, None)
    return server.url


def fresh_schema(*, migrated: bool = True) -> str:
    """The URL of a schema that is nobody else's."""
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
