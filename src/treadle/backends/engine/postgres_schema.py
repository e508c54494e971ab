"""The schema of a PostgreSQL database: its version, and the migrations that bring it forward.

Each migration is one transaction. One says from which version on processes can work with what it leaves
(``-- compatible-from: N`` on its first line), so that processes of the release before go on while a database is
brought forward under them.
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
    """The database's schema is not one that this treadle works with."""


class Schema(NamedTuple):
    """Version 0 is a database without one. Processes that know ``compatible_from`` or a later version may use it."""

    version: int
    compatible_from: int


def newest_version() -> int:
    """The newest version that this treadle knows."""
    return len(_scripts())


def schema_version(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as conn:
        return _schema(conn).version


def migrate(url: str, *, upto: int | None = None) -> tuple[int, int]:
    """Brings the database to the newest schema (or to ``upto``); ``(before, after)``. Safe to run by many at once.

    A database that is ahead of this treadle is left as it is. Raises SchemaMismatch if it cannot be used."""
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
            f"the database has schema {schema.version}, this treadle knows {newest_version()}", hint="upgrade treadle"
        )


def require_current(url: str) -> None:
    """Raises SchemaMismatch if the database has to be migrated first, or is too new."""
    with psycopg.connect(url, autocommit=True) as conn:
        schema = _schema(conn)
    require_compatible(schema)
    if schema.version < newest_version():
        raise SchemaMismatch(
            f"the database has schema {schema.version}, this treadle needs {newest_version()}",
            hint="run treadle migrate",
        )


def namespace(url: str) -> str:
    """A name for the tables that ``url`` leads to, which no others have."""
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
