"""``treadle doctor``: check the machine, the project and its services before a server starts."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from treadle.cli import app, report
from treadle.cli.serve import Config, port_in_use, port_is_free, takes_settings
from treadle.errors import ConfigError, TreadleError
from treadle.settings import Settings

Verdict = Literal["ok", "warn", "fail"]

COLORS: dict[Verdict, str] = {"ok": "green", "warn": "yellow", "fail": "bold red"}
NEEDED = ("treadle", "langgraph", "langgraph-checkpoint", "langgraph-sdk", "langchain-core", "starlette", "uvicorn")
LEAST_SQLITE = (3, 35, 0)  # the first with RETURNING
LEAST_PYTHON = (3, 11)
MEGABYTE = 1024 * 1024
FEW_DESCRIPTORS = 4096
LOW_DISK, TOO_LOW_DISK = 1024 * MEGABYTE, 100 * MEGABYTE
TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING")


class Finding(NamedTuple):
    """The result of one check. ``subject`` is the first column of the report."""

    subject: str
    verdict: Verdict
    text: str


@app.command()
@takes_settings
def doctor(settings: Settings, config: Config = Path("langgraph.json")) -> None:
    """Check Python, packages, the project, its storage and the port. Exits with 1 if a check fails."""
    findings = list(examine(settings, config))
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        table.add_row(Text(finding.verdict, style=COLORS[finding.verdict]), finding.subject, Text(finding.text))
    Console(highlight=False).print(table)
    raise typer.Exit(1 if any(finding.verdict == "fail" for finding in findings) else 0)


def examine(settings: Settings, config: Path) -> Iterator[Finding]:
    """Every finding, in the order in which a starting server would fail."""
    checks: tuple[Callable[[Settings, Path], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _tracing,
        _project,
        *((_database, _redis) if settings.database_url else (_data, _disk, _sqlite)),
        _descriptors,
        _port,
    )
    for check in checks:
        yield from check(settings, config)


def _python(settings: Settings, config: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info[:2] >= LEAST_PYTHON
    yield Finding("python", "ok" if enough else "fail", version if enough else f"{version}; 3.11 or newer is needed")


def _packages(settings: Settings, config: Path) -> Iterator[Finding]:
    for name in NEEDED:
        try:
            yield Finding(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, "fail", "not installed; pip install treadle installs it")


def _tracing(settings: Settings, config: Path) -> Iterator[Finding]:
    on = [name for name in TRACING if os.environ.get(name, "").lower() in ("1", "true")]
    if on:
        yield Finding("tracing", "warn", f"{', '.join(on)} is set: your graphs send traces to a remote service")
    else:
        yield Finding("tracing", "ok", "off; only your graphs' own calls leave this machine")


def _project(settings: Settings, config: Path) -> Iterator[Finding]:
    from treadle.project.load import load_config, load_graphs
    from treadle.project.storage import storage_config

    try:
        project = load_config(config)
        graphs = load_graphs(project)
        storage_config(project)
    except ConfigError as error:
        parts = (str(error), error.hint and f"hint: {error.hint}", report.users_traceback(error))
        yield Finding("project", "fail", "\n".join(part.rstrip() for part in parts if part))
    else:
        yield from (Finding("project", "warn", warning) for warning in project.warnings)
        yield Finding("project", "ok", f"{config} loads: {', '.join(graphs)}")


def _data(settings: Settings, config: Path) -> Iterator[Finding]:
    try:
        with tempfile.NamedTemporaryFile(dir=_there(settings.data)):
            pass
    except OSError as error:
        yield Finding("data directory", "fail", f"{settings.data} is not writable: {error.strerror}")
    else:
        yield Finding("data directory", "ok", f"{settings.data} is writable")


def _disk(settings: Settings, config: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(_there(settings.data)).free
    verdict: Verdict = "fail" if free < TOO_LOW_DISK else "warn" if free < LOW_DISK else "ok"
    yield Finding("disk", verdict, f"{free // MEGABYTE:,} MB free")


def _there(data: Path) -> Path:
    """The data directory, or its nearest existing parent: the checks must not create it."""
    return next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())


def _sqlite(settings: Settings, config: Path) -> Iterator[Finding]:
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        yield Finding("sqlite", "fail", f"{sqlite3.sqlite_version}; {'.'.join(map(str, LEAST_SQLITE))} is needed")
        return
    try:
        mode = _journal_mode(_there(settings.data))
    except (OSError, sqlite3.Error) as error:
        yield Finding("sqlite", "fail", f"{sqlite3.sqlite_version}: {error}")
    else:
        works = mode == "wal"
        text = "WAL works" if works else f"no WAL in the data directory (mode {mode}); is it a network file system?"
        yield Finding("sqlite", "ok" if works else "fail", f"{sqlite3.sqlite_version}, {text}")


def _journal_mode(directory: Path) -> str:
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        connection = sqlite3.connect(Path(scratch, "doctor.sqlite3"))
        try:
            return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        finally:
            connection.close()


def _database(settings: Settings, config: Path) -> Iterator[Finding]:
    from treadle.runtime import database

    try:
        version, newest = database.versions(settings)
    except TreadleError as error:
        yield Finding("database", "fail", error.detail)
    else:
        yield Finding("database", "ok", "reachable")
        yield _schema(settings, version, newest)


def _schema(settings: Settings, version: int, newest: int) -> Finding:
    if version >= newest:
        ahead = f", newer than schema {newest} of this release" if version > newest else ", current"
        return Finding("schema", "ok" if version == newest else "warn", f"{version}{ahead}")
    if settings.migrate:
        return Finding("schema", "ok", f"{version}; the next server or worker to start upgrades it to {newest}")
    return Finding("schema", "fail", f"{version}, but this release needs {newest}: run `treadle migrate`")


def _redis(settings: Settings, config: Path) -> Iterator[Finding]:
    if not settings.redis_url:
        return
    import redis

    try:
        with redis.Redis.from_url(settings.redis_url, socket_timeout=5.0, socket_connect_timeout=5.0) as client:
            client.ping()
    except redis.RedisError as error:
        yield Finding("redis", "warn", f"{error}; runs work without Redis, but streams have a higher latency")
    else:
        yield Finding("redis", "ok", "reachable")


def _descriptors(settings: Settings, config: Path) -> Iterator[Finding]:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = most == resource.RLIM_INFINITY or most >= FEW_DESCRIPTORS
    allowed = "none" if most == resource.RLIM_INFINITY else f"{most:,}"
    hint = "" if enough else "; each open stream needs one, so raise the hard limit (ulimit -Hn, LimitNOFILE)"
    yield Finding("open files", "ok" if enough else "warn", f"limit: {allowed}{hint}")


def _port(settings: Settings, config: Path) -> Iterator[Finding]:
    free = port_is_free(settings)
    where = f"{settings.port} on {settings.host} is free" if settings.port else "picks a free port"
    yield Finding("port", "ok" if free else "fail", where if free else port_in_use(settings.host, settings.port))
