"""``treadle serve`` as a child process, for commands that start their own server."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from treadle.errors import TreadleError

READY = "treadle is ready at "

EMBEDDED = ("--database-url=", "--redis-url=", "--workers=1")
"""Flags of such a server: it uses a SQLite file of its own, regardless of the environment."""


class ServerDied(TreadleError):
    """The server process exited or was not ready in time. ``log`` is its stderr output."""

    def __init__(self, detail: str, *, log: str) -> None:
        super().__init__(detail)
        self.log = log


class ServerProcess:
    """A server process that can be restarted on the same data directory.

    It runs in its own process group: Ctrl-C in a terminal only reaches the parent, which decides how to stop it. Its
    stderr goes to ``log``, or to the parent's stderr if ``log`` is None.
    """

    def __init__(self, arguments: Sequence[str], *, log: Path | None = None, cwd: Path | None = None) -> None:
        self.command = [sys.executable, "-m", "treadle.cli", "serve", *arguments]
        self.log = log
        self.cwd = cwd
        self.url: str | None = None
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def spawned(self) -> bool:
        return self._process is not None

    def spawn(self) -> None:
        """Start the process without waiting until it is ready."""
        stderr: IO[str] | None = self.log.open("a") if self.log else None
        try:
            self._process = subprocess.Popen(
                self.command, stdout=subprocess.PIPE, stderr=stderr, cwd=self.cwd, text=True, process_group=0
            )
        finally:
            if stderr:
                stderr.close()
        self.url = None

    def ready(self, timeout: float) -> str | None:
        """Wait up to ``timeout`` seconds for the URL that the server announces; None if it has not."""
        assert self._process is not None
        assert self._process.stdout is not None
        if self.url is None and select.select([self._process.stdout], [], [], timeout)[0]:
            self.url = self._process.stdout.readline().removeprefix(READY).strip() or None
        return self.url

    def start(self, timeout: float = 60.0) -> str:
        """Start the process and return its URL. Raises ServerDied."""
        self.spawn()
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            if url := self.ready(min(left, 0.5)):
                return url
            if self.exit_code() is not None:
                raise ServerDied(f"the server stopped with exit code {self.exit_code()}", log=self.logged())
        self.kill()
        raise ServerDied(f"the server was not ready within {timeout:g} seconds", log=self.logged())

    def exit_code(self) -> int | None:
        """The exit code, or None while the process is running."""
        return self._process.poll() if self._process else None

    def stop(self, timeout: float = 20.0) -> int | None:
        """Send SIGTERM, and SIGKILL if the process has not exited within ``timeout`` seconds. Returns the exit code."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()
        return self._process.returncode

    def kill(self) -> None:
        """Send SIGKILL and reap the process."""
        assert self._process is not None
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._process and self._process.stdout:
            self._process.stdout.close()

    def logged(self) -> str:
        """The contents of ``log`` so far."""
        return self.log.read_text() if self.log and self.log.exists() else ""


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])
