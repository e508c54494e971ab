"""The measured server: ``treadle serve`` in a process of its own."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from treadle.bench import process
from treadle.bench.check import PROJECT
from treadle.cli.process import EMBEDDED, ServerProcess

CONFIG = PROJECT / "langgraph.json"
_SETTLE_SECONDS = 1.0


class Serving(NamedTuple):
    """A server that answers. ``started_seconds`` from the start of the process to the answer of ``/ok``."""

    url: str
    pid: int
    started_seconds: float

    def resident_mib(self) -> float:
        """Resident memory of the process, and of those it started."""
        return process.resident_kib(self.pid) / 1024

    def peak_mib(self) -> float | None:
        """The most it ever was, where the system tells."""
        peak = process.peak_kib(self.pid)
        return None if peak is None else peak / 1024


@contextmanager
def serving(directory: Path) -> Generator[Serving]:
    """A fresh server with its data in ``directory``. Raises ServerDied with its log."""
    arguments = ["--config", str(CONFIG), "--port", "0", "--data", str(directory / "data"), "--log-level", "warning"]
    server = ServerProcess([*EMBEDDED, *arguments], log=directory / "server.log")
    begin = time.perf_counter()
    try:
        url = server.start()
        with urllib.request.urlopen(f"{url}/ok", timeout=10) as answer:
            answer.read()
        yield Serving(url, server.pid, time.perf_counter() - begin)
    finally:
        server.stop()


def settle() -> None:
    """Lets a server that has just started come to rest before its memory is read."""
    time.sleep(_SETTLE_SECONDS)
