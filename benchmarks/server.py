"""The measured server: ``treadle serve`` in a process of its own."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import treadle.bench
from treadle.cli.process import ServerProcess

CONFIG = Path(treadle.bench.__file__).with_name("langgraph.json")
_SETTLE_SECONDS = 1.0


class Serving(NamedTuple):
    """A server that answers. ``started_seconds`` from the start of the process to the answer of ``/ok``."""

    url: str
    pid: int
    started_seconds: float

    def resident_mib(self) -> float:
        """Resident memory of the process."""
        shown = subprocess.run(["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, text=True, check=True)
        return int(shown.stdout) / 1024


@contextmanager
def serving(directory: Path) -> Generator[Serving]:
    """A fresh server with its data in ``directory``. Raises ServerDied with its log."""
    arguments = ["--config", str(CONFIG), "--port", "0", "--data", str(directory / "data"), "--log-level", "warning"]
    process = ServerProcess(arguments, log=directory / "server.log")
    begin = time.perf_counter()
    try:
        url = process.start()
        with urllib.request.urlopen(f"{url}/ok", timeout=10) as answer:
            answer.read()
        yield Serving(url, process.pid, time.perf_counter() - begin)
    finally:
        process.stop()


def settle() -> None:
    """Lets a server that has just started come to rest before its memory is read."""
    time.sleep(_SETTLE_SECONDS)
