"""The real server as a process of its own, and a proxy before it that cuts connections."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from support import forked, shapes

EXAMPLES = Path(__file__).parents[2] / "examples"
READY = "treadle is ready at "
START_SECONDS = 60
STOP_SECONDS = 20


class LiveServer:
    """``treadle serve`` with the graphs of the examples, over ``data``; may be killed and started again."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._port = 0
        self.url = ""

    def start(self) -> None:
        self._data.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "treadle.cli", "serve", "--config", str(EXAMPLES / "langgraph.json")]
        command += ["--port", str(self._port), "--data", str(self._data)]
        environment = {**os.environ, "LANGSMITH_TRACING": "false", "PYTHONUNBUFFERED": "1"}
        environment.update(shapes.environment(self._data))
        with self._log.open("a") as log:
            self._process = forked.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        self.url = self._ready_at()
        self._port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL: the server gets no chance to say anything."""
        self._process.kill()
        self._gone()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._gone()

    def _gone(self) -> None:
        self._process.wait(STOP_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def _log(self) -> Path:
        return self._data / "stderr.log"

    def _ready_at(self) -> str:
        # A server that never gets ready is killed, which ends the reading.
        watchdog = threading.Timer(START_SECONDS, self._process.kill)
        watchdog.start()
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                if line.startswith(READY):
                    return line.removeprefix(READY).strip()
        finally:
            watchdog.cancel()
        self._gone()
        raise AssertionError(f"the server did not start:\n{self._log.read_text()}")


@contextlib.contextmanager
def live_server(data: Path) -> Iterator[LiveServer]:
    server = LiveServer(data)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class CuttingProxy:
    """Relays to ``upstream`` and breaks each connection after a random number of bytes of its answer."""

    def __init__(self, upstream: str, *, seed: int, most_bytes: int) -> None:
        self._upstream = int(upstream.rpartition(":")[2])
        self._random = random.Random(seed)
        self._most = most_bytes
        self.cuts = 0
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> CuttingProxy:
        self._run(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                self._run(self._relay, client, self._random.randint(0, self._most), self._random.random() < 0.5)

    def _relay(self, client: socket.socket, budget: int, rudely: bool) -> None:
        with client, socket.create_connection(("127.0.0.1", self._upstream)) as server:
            self._run(_copy, client, server)
            with contextlib.suppress(OSError):
                while budget > 0 and (data := server.recv(min(budget, 4096))):
                    client.sendall(data)
                    budget -= len(data)
            self.cuts += budget <= 0
            if rudely:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            _hang_up(server, client)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            target.sendall(data)
    _hang_up(source, target)


def _hang_up(*sides: socket.socket) -> None:
    for side in sides:
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
