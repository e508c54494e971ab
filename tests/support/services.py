"""Private PostgreSQL and Redis servers, as real as a user's: started, stopped, killed and restarted by tests.

with PostgresServer() as postgres, RedisServer() as redis:
    url = postgres.schema("mine")
    postgres.kill()
    postgres.start()

Both listen on 127.0.0.1 only, on a port that they keep over restarts, and end with the process that started them.
"""

from __future__ import annotations

import atexit
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeVar
from urllib.parse import quote

import psycopg
from psycopg import sql

from support import leash

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
PORTS_TRIED = 5
_MODES = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

S = TypeVar("S", bound="Service")


class ServiceMissing(RuntimeError):
    """The program is not installed."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"{program} is neither on PATH nor where Debian puts it; install {package} to run this test")


class ServiceDied(AssertionError):
    """The server ended, or was not ready in time; the message holds what it logged."""


class PortTaken(ServiceDied):
    """Somebody else took the port between our choosing it and the server's binding it."""


class Service(ABC):
    """A server program in a directory of its own, which is removed in the end."""

    def __init__(self) -> None:
        self.port = 0
        self.directory = Path()
        self._leash: subprocess.Popen[str] | None = None
        self._pid = 0

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    def pid(self) -> int:
        assert self.running, "the server does not run"
        return self._pid

    @property
    def running(self) -> bool:
        return self._leash is not None and self._leash.poll() is None

    @property
    def log(self) -> str:
        """All that it wrote so far, over restarts."""
        file = self.directory / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def start(self: S) -> S:
        """Starts it and returns once it takes connections. The port and the data of the first start are kept."""
        assert not self.running, "the server runs already"
        if self.port == 0:
            self.directory = self._make_directory()
            return self._start_somewhere()
        return self._start()

    def restart(self: S) -> S:
        """A clean stop, as far as the program knows one, and a new start."""
        self._stop()
        return self.start()

    def kill(self) -> None:
        """SIGKILL to the server and all its processes. Returns once they are gone; harmless when they are already."""
        if self._leash is not None:
            if self.running:
                leash.kill_family(self._pid)
            self._ended(STOP_SECONDS)

    def pause(self) -> None:
        """SIGSTOP to the server and all its processes: connections stay, nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def __enter__(self: S) -> S:
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if self.port:
            shutil.rmtree(self.directory, ignore_errors=True)

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _make_directory(self) -> Path: ...

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it takes connections now."""

    @abstractmethod
    def _stop(self) -> None: ...

    def _start_somewhere(self: S) -> S:
        for _ in range(PORTS_TRIED - 1):
            self.port = free_port()
            try:
                return self._start()
            except PortTaken:
                continue
        self.port = free_port()
        return self._start()

    def _start(self: S) -> S:
        with (self.directory / "log").open("a") as log:
            self._leash = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, *self._command()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.directory,
                env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,
            )
        assert self._leash.stdout is not None
        self._pid = int(self._leash.stdout.readline() or 0)
        self._wait_until_ready()
        return self

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        # Another process on the port would answer too, so check that our own is still alive afterwards.
        while not (self._answers() and self.running):
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise self._why_not()
            time.sleep(0.02)

    def _why_not(self) -> ServiceDied:
        log = self.log[-4000:]
        taken = "address already in use" in log.lower()
        return PortTaken(log) if taken else ServiceDied(f"{type(self).__name__} did not come up\n{log}")

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in (self.pid, *leash.children(self.pid)):
            os.kill(pid, number)

    def _ended(self, seconds: float) -> None:
        assert self._leash is not None
        try:
            self._leash.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{type(self).__name__} still runs after {seconds:g} s\n{self.log[-4000:]}") from None
        for pipe in (self._leash.stdin, self._leash.stdout):
            if pipe is not None:
                pipe.close()
        self._leash = None


class PostgresServer(Service):
    """PostgreSQL with trust for user ``postgres``; ``fsync=False`` for tests that never crash it and want it quick."""

    def __init__(self, *, fsync: bool = True, **options: str | int) -> None:
        super().__init__()
        self.options = {"fsync": "on" if fsync else "off", **options}

    @property
    def url(self) -> str:
        return self.url_at(self.port)

    def url_at(self, port: int, schema: str = "") -> str:
        """The same database through another port of this machine, a proxy's for example."""
        options = f"?options={quote(f'-csearch_path={schema}')}" if schema else ""
        return f"postgresql://postgres@127.0.0.1:{port}/postgres{options}"

    def schema(self, name: str) -> str:
        """Creates an empty schema unless it is there; the URL of connections that live in it."""
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))
        return self.url_at(self.port, name)

    def connect(self, schema: str = "") -> psycopg.Connection:
        """A connection that commits each statement."""
        return psycopg.connect(self.url_at(self.port, schema), autocommit=True, connect_timeout=10)

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """``fast`` ends sessions and checkpoints; ``immediate`` is a crash that needs recovery at the next start."""
        os.kill(self.pid, _MODES[mode])
        self._ended(STOP_SECONDS)

    def _stop(self) -> None:
        self.stop("fast")

    def _command(self) -> list[str]:
        fixed = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
        }
        options = {**fixed, "shared_buffers": "32MB", "logging_collector": "off", **self.options}
        flags = [f"--{name}={value}" for name, value in options.items()]
        return [*_as_postgres(), postgres_program("postgres"), "-D", str(self.directory / "data"), *flags]

    def _make_directory(self) -> Path:
        directory = _own_directory("treadle-postgres-")
        subprocess.run(["cp", "-a", str(template()), str(directory / "data")], check=True)
        return directory

    def _answers(self) -> bool:
        try:
            with self.connect():
                return True
        except psycopg.OperationalError:
            return False


class RedisServer(Service):
    """Redis without persistence: a restart has forgotten everything, as its users must expect."""

    @property
    def url(self) -> str:
        return self.url_at(self.port)

    def url_at(self, port: int) -> str:
        return f"redis://127.0.0.1:{port}/0"

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        self._ended(STOP_SECONDS)

    def _stop(self) -> None:
        self.stop()

    def _command(self) -> list[str]:
        program = _program("redis-server", [], "redis-server")
        return [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]

    def _make_directory(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="treadle-redis-"))

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def postgres_program(name: str) -> str:
    """The path of one of PostgreSQL's programs. Raises ServiceMissing."""
    newest_first: Callable[[Path], int] = lambda path: -int(path.parts[-3])  # noqa: E731
    found = [path for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}") if path.parts[-3].isdigit()]
    return _program(name, sorted(found, key=newest_first), "postgresql")


def _program(name: str, elsewhere: list[Path], package: str) -> str:
    found = shutil.which(name) or next(iter(map(str, elsewhere)), None)
    if found is None:
        raise ServiceMissing(name, package)
    return found


@functools.cache
def template() -> Path:
    """A new cluster, made once by each process of tests; every server starts from a copy."""
    directory = _own_directory("treadle-initdb-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    command = [postgres_program("initdb"), "-D", str(directory / "data"), "-U", "postgres", "--auth=trust"]
    made = subprocess.run(
        [*_as_postgres(), *command, "--encoding=UTF8", "--locale=C", "--no-sync"],
        capture_output=True,
        text=True,
        cwd=directory,
    )
    if made.returncode:
        raise ServiceDied(f"initdb failed\n{made.stdout}{made.stderr}")
    return directory / "data"


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


def _own_directory(prefix: str) -> Path:
    """A new directory of the user that PostgreSQL runs as, to whom those of pytest are closed."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(directory, user.pw_uid, user.pw_gid)
    return directory
