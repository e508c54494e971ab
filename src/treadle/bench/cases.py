"""The cases to measure, and a load generator that measures each of them in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import NamedTuple

PATIENCE_SECONDS = 300.0


class MeasureFailed(Exception):
    """The load generator failed. The message says why."""


@dataclass(frozen=True)
class Endpoint:
    """The address of the server to measure. ``pid`` is its process, if known; ``creates`` is that of ``Server``."""

    url: str
    pid: int | None = None
    creates: bool = True


@dataclass(frozen=True)
class Case:
    """A measure with its number of runs in flight. ``heavy`` cases take long on a slow server; do not repeat them."""

    measure: str
    in_flight: int | None = None
    heavy: bool = False

    @property
    def name(self) -> str:
        return self.measure if self.in_flight is None else f"{self.measure}_{self.in_flight}"


CASES = (
    Case("first_event"),
    *(
        Case(measure, in_flight)
        for in_flight in (16, 64)
        for measure in ("threaded_stream", "stateless_stream", "threaded_wait", "stateless_wait")
    ),
    Case("custom_one"),
    Case("custom_many"),
    Case("messages"),
    Case("long_values"),
    Case("late_run", heavy=True),
    Case("readers", heavy=True),
    Case("idle_streams", heavy=True),
)
"""All cases in the order of measurement. Idle streams come last, because they leave the most memory behind."""


class Measurement(NamedTuple):
    """The result of a case. ``figures`` holds the main figure under the name of the case, and any further figures."""

    name: str
    figures: dict[str, float]
    seconds: float
    load_cpu_seconds: float
    server_cpu_seconds: float | None

    @property
    def load(self) -> float:
        """Return the share of a core that the load generator used: at 0.1, it could generate ten times the load."""
        return self.load_cpu_seconds / self.seconds

    @property
    def server(self) -> float | None:
        """Return the share of a core that the server used, or None if its process is unknown."""
        return None if self.server_cpu_seconds is None else self.server_cpu_seconds / self.seconds


@dataclass(frozen=True)
class LoadGenerator:
    """Starts the load generator. ``extra`` holds flags for it, beyond ``seconds``."""

    seconds: float = 2.0
    extra: tuple[str, ...] = field(default=())

    def __call__(self, endpoint: Endpoint, case: Case) -> Measurement:
        """Measure one case. Raise MeasureFailed."""
        command = [sys.executable, "-m", "treadle.bench.load", endpoint.url, case.measure, f"--seconds={self.seconds}"]
        command += [] if case.in_flight is None else [f"--in-flight={case.in_flight}"]
        command += [] if endpoint.pid is None else [f"--pid={endpoint.pid}"]
        command += [] if endpoint.creates else ["--threads-first"]
        try:
            done = subprocess.run([*command, *self.extra], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise MeasureFailed(f"{case.name}: not done within {PATIENCE_SECONDS:g} s") from None
        if done.returncode:
            raise MeasureFailed(done.stderr.strip() or f"{case.name}: exit code {done.returncode}")
        result = json.loads(done.stdout)
        return Measurement(
            case.name,
            {case.name if name == case.measure else name: value for name, value in result["figures"].items()},
            result["seconds"],
            result["load_cpu_seconds"],
            result.get("server_cpu_seconds"),
        )
