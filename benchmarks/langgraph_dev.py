"""Start LangGraph's development server, ``langgraph dev``, from its own virtual environment, as a black box."""

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

from benchmarks.server import MeasuredServer, settle
from treadle.bench.cases import Case, Endpoint, LoadGenerator
from treadle.bench.check import write_project
from treadle.cli.server_process import free_port

NAME = "langgraph dev"
VENV = Path(__file__).parents[1] / ".venv-langgraph-dev"
PROGRAM = VENV / "bin" / "langgraph"
PACKAGES = ("langgraph", "langgraph-cli", "langgraph-api", "langgraph-runtime-inmem")
QUIET = {
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LOG_LEVEL": "ERROR",  # otherwise it logs two lines for each run, which would be measured too
}
JOBS = (1, 10, 16, 32, 64)
_READY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_TRIAL_SECONDS = 2.0


class Died(Exception):
    """The server exited, or was not ready in time. The message holds the end of its log."""


class Trial(NamedTuple):
    """The figures with one setting of jobs: threaded streams per second at 16 and at 64 in flight, and custom events
    per second of 20 runs. With one job the server never pauses between queued runs; with many, runs are concurrent."""

    jobs: int
    at_16: float
    at_64: float
    events: float

    @property
    def score(self) -> float:
        """Return the geometric mean of the three figures."""
        return (self.at_16 * self.at_64 * self.events) ** (1 / 3)

    def __str__(self) -> str:
        runs = f"{self.at_16:.0f} runs/s at 16 in flight, {self.at_64:.0f} at 64"
        return f"--n-jobs-per-worker {self.jobs}: {runs}, {self.events:,.0f} events/s of 20 runs"


@contextmanager
def start_server(directory: Path, jobs: int) -> Generator[MeasuredServer]:
    """Start a server with its project and its data in ``directory``, and stop it afterwards. Raise Died."""
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
        _wait_until_ready(f"{url}/ok", server, Path(log.name))
        yield MeasuredServer(url, server.pid, time.perf_counter() - begin)
    finally:
        _stop(server)


def _environment() -> Mapping[str, str]:
    """Return this process's environment without keys and settings of tracing, so that nothing is sent anywhere."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("LANGSMITH_", "LANGCHAIN_"))
    }
    return {**environment, **QUIET}


def _wait_until_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
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


def trials(directory: Path, log: Callable[[Trial], None]) -> Sequence[Trial]:
    """Try each of ``JOBS``, call ``log`` with each trial, and return the trials sorted from the best to the worst."""
    done: list[Trial] = []
    for jobs in JOBS:
        scratch = directory / f"jobs-{jobs}"
        scratch.mkdir()
        with start_server(scratch, jobs) as server:
            settle()
            done.append(Trial(jobs, *(_try(server, case) for case in _TRIED)))
        log(done[-1])
    return sorted(done, key=lambda trial: trial.score, reverse=True)


_TRIED = (Case("threaded_stream", 16), Case("threaded_stream", 64), Case("custom_many"))


def _try(server: MeasuredServer, case: Case) -> float:
    return LoadGenerator(_TRIAL_SECONDS)(Endpoint(server.url, server.pid), case).figures[case.name]


def versions() -> dict[str, str]:
    """Return the versions of its packages."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    command = [str(VENV / "bin" / "python"), "-c", code, *PACKAGES]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout)
