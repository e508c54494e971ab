"""Start ``treadle serve`` as a child process to be measured."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from treadle.bench import process
from treadle.bench.check import PROJECT
from treadle.cli.server_process import EMBEDDED, ServerProcess

CONFIG = PROJECT / "langgraph.json"
_SETTLE_SECONDS = 1.0


class MeasuredServer(NamedTuple):
    """A server that is ready. ``started_seconds`` is the time from starting the process to the response of ``/ok``."""

    url: str
    pid: int
    started_seconds: float

    def resident_mib(self) -> float:
        """Return the resident memory of the process and its children."""
        return process.resident_kib(self.pid) / 1024

    def peak_mib(self) -> float | None:
        """Return the peak of the resident memory, or None where the system does not report it."""
        peak = process.peak_kib(self.pid)
        return None if peak is None else peak / 1024


@contextmanager
def start_server(directory: Path) -> Generator[MeasuredServer]:
    """Start a server with its data in ``directory``, and stop it afterwards. Raise ServerDied with its log."""
    arguments = ["--config", str(CONFIG), "--port", "0", "--data", str(directory / "data"), "--log-level", "warning"]
    server = ServerProcess([*EMBEDDED, *arguments], log=directory / "server.log")
    begin = time.perf_counter()
    try:
        url = server.start()
        with urllib.request.urlopen(f"{url}/ok", timeout=10) as response:
            response.read()
        yield MeasuredServer(url, server.pid, time.perf_counter() - begin)
    finally:
        server.stop()


def settle() -> None:
    """Wait until a new server has finished its startup work, so that its memory can be read."""
    time.sleep(_SETTLE_SECONDS)
