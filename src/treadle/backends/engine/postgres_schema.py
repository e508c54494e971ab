"""The schema of a PostgreSQL database: its version, and the migrations that upgrade it.

Each migration is one transaction. Its first line names the oldest version that can work with the result (``--
compatible-from: N``), so that processes of the previous release continue while the database is upgraded.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import NamedTuple

import psycopg

from treadle.errors import ConfigError

_LOCK = 7236158_01
_TABLE = """
CREATE TABLE IF NOT EXISTS treadle_schema (
    one             BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    version         BIGINT NOT NULL,
    compatible_from BIGINT NOT NULL
)
"""
_COMPATIBLE = re.compile(r"-- compatible-from: (\d+)")


class SchemaMismatch(ConfigError):
    """The database's schema does not work with this release."""


class Schema(NamedTuple):
    """Version 0 is a database without a schema. Releases that know ``compatible_from`` or a later version can
    use it."""

    version: int
    compatible_from: int


def newest_version() -> int:
    """The newest version that this release knows."""
    return len(_scripts())


def schema_version(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        return _schema(conn).version


def migrate(url: str, *, upto: int | None = None) -> tuple[int, int]:
    """Migrate to the newest schema (or to ``upto``). Returns ``(before, after)``. Safe to run concurrently.

    A newer database is left unchanged. Raises SchemaMismatch if this release cannot use it.
    """
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        before = _schema(conn)
        require_compatible(before)
        conn.execute("SET client_min_messages = warning")
        conn.execute(_TABLE)
        for number, script in enumerate(_scripts()[:upto], start=1):
            if number > before.version:
                _apply(conn, number, script)
        return before.version, _schema(conn).version


def require_compatible(schema: Schema) -> None:
    if schema.compatible_from > newest_version():
        raise SchemaMismatch(
            f"the database has schema {schema.version}, but this release supports at most {newest_version()}",
            hint="upgrade treadle",
        )


def require_current(url: str) -> None:
    """Raise SchemaMismatch if the database must be migrated first, or is too new."""
    with psycopg.connect(url, autocommit=True) as conn:
        schema = _schema(conn)
    require_compatible(schema)
    if schema.version < newest_version():
        raise SchemaMismatch(
            f"the database has schema {schema.version}, but this release needs {newest_version()}",
            hint="run treadle migrate",
        )


def namespace(url: str) -> str:
    """A name for the tables that ``url`` leads to, which no other tables have."""
    with psycopg.connect(url, autocommit=True) as conn:
        found = conn.execute(
            "SELECT concat_ws('.', current_database(), current_schema(), 'treadle_schema'::regclass::oid)"
        ).fetchone()
    assert found
    return found[0]


def _schema(conn: psycopg.Connection) -> Schema:
    (found,) = conn.execute("SELECT to_regclass('treadle_schema') IS NOT NULL").fetchone() or (False,)
    row = conn.execute("SELECT version, compatible_from FROM treadle_schema").fetchone() if found else None
    return Schema(*row) if row else Schema(0, 0)


def _apply(conn: psycopg.Connection, number: int, script: str) -> None:
    stated = _COMPATIBLE.match(script)
    assert stated, f"migration {number} does not say what it is compatible with"
    with conn.transaction():
        conn.execute(script.encode())
        conn.execute(
            "INSERT INTO treadle_schema (version, compatible_from) VALUES (%s, %s)"
            " ON CONFLICT (one) DO UPDATE SET version = excluded.version, compatible_from = excluded.compatible_from",
            (number, int(stated[1])),
        )


def _scripts() -> list[str]:
    folder = resources.files("treadle.backends.migrations").joinpath("postgres")
    return [
        item.read_text() for item in sorted(folder.iterdir(), key=lambda item: item.name) if item.name[-4:] == ".sql"
    ]
