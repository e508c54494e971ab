from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from support.server_process import until
from support.services import PostgresServer, RedisServer


def test_postgres_keeps_what_was_committed_over_a_kill_and_a_crash() -> None:
    with PostgresServer() as server:
        url = server.schema("mine")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE here (n int)")
            connection.execute("INSERT INTO here VALUES (1)")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        server.start()
        server.stop("immediate")
        server.start()
        server.restart()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT n FROM mine.here").fetchall() == [(1,)]


def test_redis_forgets_and_keeps_its_port() -> None:
    with RedisServer() as server:
        url = server.url
        assert _redis(server, b"SET a b\r\n") == b"+OK\r\n"
        server.kill()
        with pytest.raises(ConnectionError):
            _redis(server, b"PING\r\n")
        server.start()
        assert _redis(server, b"GET a\r\n") == b"$-1\r\n"
        assert server.restart().url == url


def test_services_end_with_the_process_that_started_them() -> None:
    program = """
        from support.services import PostgresServer, RedisServer, template
        servers = [PostgresServer(fsync=False).start(), RedisServer().start()]
        directories = [template().parent, *(server.directory for server in servers)]
        print(*(server.pid for server in servers), *directories, flush=True)
        input()
    """
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with starter:
        assert starter.stdout is not None
        postgres, redis, *directories = starter.stdout.readline().split()
        assert _alive(postgres)
        assert _alive(redis)
        starter.kill()
        until(lambda: not _alive(postgres) and not _alive(redis))
    for directory in directories:
        subprocess.run(["rm", "-rf", directory], check=True)


def _alive(pid: str) -> bool:
    return os.path.exists(f"/proc/{pid}")


def _redis(server: RedisServer, command: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(command)
        return connection.recv(100)
