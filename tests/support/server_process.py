"""The real server as a process of its own: started, killed, stopped and restarted on the same port and directory.

with Server(project, tmp_path, lease_seconds=1) as server:
    httpx.get(f"{server.url}/ok")
    server.kill()
    server.start()
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from support import forked, shapes

READY = "treadle is ready at "
START_SECONDS = 60.0


class ServerDied(AssertionError):
    """The server ended, or was not ready in time; the message holds what it logged."""


class Server:
    """``treadle serve`` on ``data``; ``settings`` are those of treadle.settings, ``env`` what the graphs read."""

    def __init__(
        self, config: Path, data: Path, *, env: Mapping[str, str] | None = None, port: int = 0, **settings: Any
    ) -> None:
        self.config = config
        self.data = data
        self.port = port
        self.settings = dict(settings)
        self.url = ""
        self._env = dict(env or {})
        self._process: forked.Popen | None = None
        self._log = data.parent / f"{data.name}.log"

    @property
    def database(self) -> Path:
        return self.data / "treadle.sqlite3"

    @property
    def pid(self) -> int:
        return self._started().pid

    @property
    def log(self) -> str:
        """What all processes of this server wrote to stderr so far."""
        return self._log.read_text() if self._log.exists() else ""

    def spawn(self) -> None:
        """Starts the process without waiting until it is ready."""
        assert self._process is None, "the server runs already"
        flags = [_flag(name.replace("_", "-"), value) for name, value in self.settings.items()]
        command = [sys.executable, "-m", "treadle.cli", "serve", f"--config={self.config}", f"--data={self.data}"]
        with self._log.open("a") as log:
            self._process = forked.Popen(
                [*command, f"--port={self.port}", *flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment(),
            )

    def start(self, timeout: float = START_SECONDS) -> Server:
        """Starts it and returns once it accepts requests. The port of the first start is kept."""
        self.spawn()
        process = self._started()
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], timeout)
        line = process.stdout.readline() if ready else ""
        if not line.startswith(READY):
            self.kill()
            raise ServerDied(f"not ready within {timeout:g} s: {line!r}\n{self.log}")
        self.url = line.removeprefix(READY).strip()
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL. Returns once the process is gone; harmless when it is already."""
        if self._process is not None:
            self._process.kill()
            self.wait(10.0)

    def stop(self, timeout: float = 30.0) -> int:
        """SIGTERM. Returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout: float) -> int:
        """Waits for the process to end by itself and returns its exit code. Raises TimeoutError."""
        process = self._started()
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the server still runs after {timeout:g} s\n{self.log}") from None
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
        return code

    def restart(self) -> Server:
        """SIGKILL and a new start."""
        self.kill()
        return self.start()

    def __enter__(self) -> Server:
        return self if self._process is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            # A stopped process takes SIGKILL too.
            self.kill()
        if kind is not None:
            print(self.log[-8000:], file=sys.stderr)

    def _started(self) -> forked.Popen:
        assert self._process is not None, "the server does not run"
        return self._process

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TREADLE_", "LANG"))}
        return {
            **kept,
            "LANGSMITH_TRACING": "false",
            "PYTHONUNBUFFERED": "1",
            **shapes.environment(self.data),
            **self._env,
        }


def _flag(name: str, value: Any) -> str:
    return (f"--{name}" if value else f"--no-{name}") if isinstance(value, bool) else f"--{name}={value}"


def until(what: Any, seconds: float = 20.0, *, every: float = 0.01) -> Any:
    """Calls ``what`` until it returns something true, and returns that. Raises TimeoutError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (result := what()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came of {getattr(what, '__qualname__', what)} within {seconds:g} s")
        time.sleep(every)
    return result
