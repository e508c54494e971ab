"""LangGraph's development server, ``langgraph dev``, from a virtual environment of its own. A black box to us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.server import Serving, settle
from treadle.bench.check import write_project
from treadle.bench.take import Take, Taker, Target
from treadle.cli.process import free_port

NAME = "langgraph dev"
VENV = Path(__file__).parents[1] / ".venv-langgraph-dev"
PROGRAM = VENV / "bin" / "langgraph"
PACKAGES = ("langgraph", "langgraph-cli", "langgraph-api", "langgraph-runtime-inmem")
QUIET = {
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LOG_LEVEL": "ERROR",  # two log lines for each run are not what is compared
}
JOBS = (1, 10, 16, 32, 64)
_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_TRIAL_SECONDS = 2.0


class Died(Exception):
    """It ended, or was not ready in time; with the end of its log."""


class Trial(NamedTuple):
    """What one number of jobs gave: threaded streams per second at 16 and at 64 in flight, custom events per second of
    20 runs. With one job the server never pauses between runs of a queue, with many runs go on beside each other."""

    jobs: int
    at_16: float
    at_64: float
    events: float

    @property
    def worth(self) -> float:
        """Their geometric mean."""
        return (self.at_16 * self.at_64 * self.events) ** (1 / 3)

    def __str__(self) -> str:
        runs = f"{self.at_16:.0f} runs/s at 16 in flight, {self.at_64:.0f} at 64"
        return f"--n-jobs-per-worker {self.jobs}: {runs}, {self.events:,.0f} events/s of 20 runs"


@contextmanager
def serving(directory: Path, jobs: int) -> Generator[Serving]:
    """A fresh server with its project, and so its data, in ``directory``. Raises Died."""
    config = write_project(directory / "langgraph-dev")
    port = free_port()
    command = [str(PROGRAM), "dev", "--no-browser", "--no-reload", f"--config={config}", f"--port={port}"]
    begin = time.perf_counter()
    with (directory / "langgraph-dev.log").open("w") as log:
        server = subprocess.Popen(
            [*command, f"--n-jobs-per-worker={jobs}", "--server-log-level=ERROR"],
            cwd=config.parent,
            env=_environment(),
            stdout=log,
            stderr=log,
            process_group=0,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _await_answer(f"{url}/ok", server, Path(log.name))
        yield Serving(url, server.pid, time.perf_counter() - begin)
    finally:
        _stop(server)


def _environment() -> Mapping[str, str]:
    """Ours without keys and settings of tracing: nothing is to be sent anywhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANGSMITH_", "LANGCHAIN_"))}
    return {**kept, **QUIET}


def _await_answer(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.01)
    raise Died(f"{NAME} did not start: {log.read_text()[-2000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def trials(directory: Path, told: Callable[[Trial], None]) -> Sequence[Trial]:
    """What each of ``JOBS`` gives, the best first. ``told`` hears of them as they come."""
    found: list[Trial] = []
    for jobs in JOBS:
        scratch = directory / f"jobs-{jobs}"
        scratch.mkdir()
        with serving(scratch, jobs) as server:
            settle()
            found.append(Trial(jobs, *(_tried(server, take) for take in _TRIED)))
        told(found[-1])
    return sorted(found, key=lambda trial: trial.worth, reverse=True)


_TRIED = (Take("threaded_stream", 16), Take("threaded_stream", 64), Take("custom_many"))


def _tried(server: Serving, take: Take) -> float:
    return Taker(_TRIAL_SECONDS)(Target(server.url, server.pid), take).figures[take.name]


def versions() -> dict[str, str]:
    """Of its packages."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    command = [str(VENV / "bin" / "python"), "-c", code, *PACKAGES]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout)
