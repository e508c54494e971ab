"""The three shapes under test: one embedded server on SQLite, or API and worker processes on PostgreSQL, with Redis or
without. Everything they say to each other and to their clients goes through proxies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psycopg

from chaos.programs import Program
from chaos.proxy import Proxy
from support.services import PostgresServer, RedisServer, free_port, postgres_program

Backend = Literal["sqlite", "postgres", "redis"]
BACKENDS: tuple[Backend, ...] = ("sqlite", "postgres", "redis")
PROJECT = Path(__file__).parent / "langgraph.json"
DISK_BYTES = 256 * 1024 * 1024
SCHEMA = "chaos"


@dataclass
class Shape:
    """The number of processes of each kind, and their settings."""

    backend: Backend
    apis: int = 1
    workers: int = 0
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    project: Path = PROJECT

    @classmethod
    def of(cls, backend: Backend, **settings: Any) -> Shape:
        quick = {
            "lease_seconds": 2,
            "heartbeat_seconds": 1,
            "cancel_seconds": 1,
            "drain_seconds": 1,
            "poll_seconds": 0.5,
        }
        told = {**quick, "max_attempts": 1000, "concurrency": 12, **settings}
        return cls(backend, 1, 0, told) if backend == "sqlite" else cls(backend, 2, 2, told)


class Deployment:
    """All processes, services and proxies of one run of the suite; ``async with`` starts and ends them."""

    def __init__(self, shape: Shape, root: Path) -> None:
        self.shape = shape
        self.root = root
        self.gates = root / "gates"
        self.disk: Path | None = None
        self.postgres: PostgresServer | None = None
        self.redis: RedisServer | None = None
        self.apis: list[Program] = []
        self.workers: list[Program] = []
        self.doors: list[Proxy] = []
        """Before each API process."""
        self.database_links: list[Proxy] = []
        """Between each process and PostgreSQL."""
        self.redis_links: list[Proxy] = []

    @property
    def programs(self) -> list[Program]:
        return [*self.apis, *self.workers]

    @property
    def urls(self) -> list[str]:
        """Of the API processes, through their proxies."""
        return [f"http://127.0.0.1:{door.port}" for door in self.doors]

    @property
    def direct_urls(self) -> list[str]:
        return [f"http://127.0.0.1:{api.port}" for api in self.apis]

    @property
    def data(self) -> Path:
        return self.root / "data"

    async def __aenter__(self) -> Deployment:
        self.gates.mkdir(parents=True)
        await asyncio.to_thread(self._start_services)
        for number in range(self.shape.apis):
            await self._add_api(number)
        for number in range(self.shape.workers):
            await self._add_worker(number)
        await self.apis[0].start()  # the first brings the schema
        await asyncio.gather(*(program.start() for program in self.programs[1:]))
        return self

    async def __aexit__(self, *_: object) -> None:
        for program in self.programs:
            program.kill()
        for proxy in (*self.doors, *self.database_links, *self.redis_links):
            await proxy.stop()
        for service in (self.redis, self.postgres):
            if service is not None:
                service.__exit__(None, None, None)
        if self.disk is not None:
            await asyncio.to_thread(subprocess.run, ["umount", "--lazy", str(self.disk)], check=False)

    # reading what it holds

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Reads the database directly. Placeholders are ``?``; times out rather than waiting for ever."""
        if self.postgres is None:
            with closing(sqlite3.connect(f"file:{self.data}/treadle.sqlite3?mode=ro", uri=True, timeout=10.0)) as conn:
                return conn.execute(sql, tuple(parameters)).fetchall()
        with self.postgres.connect(SCHEMA) as connection:
            return connection.execute(sql.replace("?", "%s").encode(), tuple(parameters) or None).fetchall()

    def tables(self) -> list[str]:
        if self.postgres is None:
            found = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        else:
            found = self.rows("SELECT tablename FROM pg_tables WHERE schemaname = ?", (SCHEMA,))
        return sorted(name for (name,) in found)

    def keep(self) -> Path:
        """Copy the database to a place that outlives the deployment, to analyse a violation."""
        kept = self.root / "kept"
        if self.postgres is None:
            shutil.copytree(self.data, kept)
            return kept
        command = [postgres_program("pg_dump"), f"--dbname={self.postgres.url}", f"--schema={SCHEMA}", f"--file={kept}"]
        subprocess.run(command, check=True, capture_output=True)
        return kept

    # inside

    def _start_services(self) -> None:
        if self.shape.backend == "sqlite":
            self.disk = mount_disk(self.data)
            return
        # A database for each schema's connection would hide nothing: one schema, as a user's search_path would have it.
        self.postgres = PostgresServer(max_connections=300).start()
        self.postgres.schema(SCHEMA)
        if self.shape.backend == "redis":
            self.redis = RedisServer().start()

    async def _add_api(self, number: int) -> None:
        port = free_port()
        arguments = ["serve", f"--config={self.shape.project}", f"--port={port}", f"--data={self.data}", *self._flags()]
        if self.shape.workers:
            arguments.append("--workers=0")
        self.apis.append(self._program(f"api-{number}", arguments, port, await self._connections()))
        self.doors.append(await Proxy(port).start())

    async def _add_worker(self, number: int) -> None:
        port = free_port()
        arguments = [
            "worker",
            f"--config={self.shape.project}",
            f"--port={port}",
            *self._flags(but="heartbeat_seconds"),
        ]
        self.workers.append(self._program(f"worker-{number}", arguments, port, await self._connections()))

    def _program(self, name: str, arguments: list[str], port: int, connections: dict[str, str]) -> Program:
        env = {"CHAOS_DIR": str(self.gates), **connections}
        return Program(name, arguments, log=self.root / f"{name}.log", env=env, port=port)

    async def _connections(self) -> dict[str, str]:
        """Where a process finds its services: through proxies of its own."""
        if self.postgres is None:
            return {}
        self.database_links.append(await Proxy(self.postgres.port).start())
        found = {"TREADLE_DATABASE_URL": self.postgres.url_at(self.database_links[-1].port, SCHEMA)}
        if self.redis is not None:
            self.redis_links.append(await Proxy(self.redis.port).start())
            found["TREADLE_REDIS_URL"] = self.redis.url_at(self.redis_links[-1].port)
        return found

    def _flags(self, but: str = "") -> list[str]:
        return [f"--{name.replace('_', '-')}={value}" for name, value in self.shape.settings.items() if name != but]


def mount_disk(directory: Path) -> Path | None:
    """A small tmpfs for the data, which can be filled up. None where this user may not mount."""
    directory.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(directory)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return None
    return directory if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None


def is_up(postgres: PostgresServer) -> bool:
    with contextlib.suppress(psycopg.OperationalError), postgres.connect() as connection:
        connection.execute("SELECT 1")
        return True
    return False
