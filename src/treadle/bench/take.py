"""Takes measures, each with the load generator in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import NamedTuple

PATIENCE_SECONDS = 300.0


class MeasureFailed(Exception):
    """The load generator gave up; says why."""


@dataclass(frozen=True)
class Target:
    """The server to measure. ``pid`` is of its process, if that is known; ``creates`` as in ``Server``."""

    url: str
    pid: int | None = None
    creates: bool = True


@dataclass(frozen=True)
class Take:
    """A measure with what is special about it. ``heavy`` ones take long on a slow server and need not be repeated."""

    measure: str
    in_flight: int | None = None
    heavy: bool = False

    @property
    def name(self) -> str:
        return self.measure if self.in_flight is None else f"{self.measure}_{self.in_flight}"


TAKES = (
    Take("first_event"),
    *(
        Take(measure, in_flight)
        for in_flight in (16, 64)
        for measure in ("threaded_stream", "stateless_stream", "threaded_wait", "stateless_wait")
    ),
    Take("custom_one"),
    Take("custom_many"),
    Take("messages"),
    Take("long_values"),
    Take("late_run", heavy=True),
    Take("readers", heavy=True),
    Take("idle_streams", heavy=True),
)
"""All there is, in the order in which it is measured: idle streams leave the most behind."""


class Taken(NamedTuple):
    """``figures`` are those of the measure under the take's name, the first, and any beside it."""

    name: str
    figures: dict[str, float]
    seconds: float
    load_cpu_seconds: float
    server_cpu_seconds: float | None

    @property
    def load(self) -> float:
        """How much of a core the load generator took: at 0.1, it could have gone ten times as fast."""
        return self.load_cpu_seconds / self.seconds

    @property
    def served(self) -> float | None:
        """How much of a core the server took, if its process is known."""
        return None if self.server_cpu_seconds is None else self.server_cpu_seconds / self.seconds


@dataclass(frozen=True)
class Taker:
    """``extra`` are flags of the load generator, beyond ``seconds``."""

    seconds: float = 2.0
    extra: tuple[str, ...] = field(default=())

    def __call__(self, target: Target, take: Take) -> Taken:
        """Raises MeasureFailed."""
        command = [sys.executable, "-m", "treadle.bench.load", target.url, take.measure, f"--seconds={self.seconds}"]
        command += [] if take.in_flight is None else [f"--in-flight={take.in_flight}"]
        command += [] if target.pid is None else [f"--pid={target.pid}"]
        command += [] if target.creates else ["--threads-first"]
        try:
            done = subprocess.run([*command, *self.extra], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise MeasureFailed(f"{take.name}: not done within {PATIENCE_SECONDS:g} s") from None
        if done.returncode:
            raise MeasureFailed(done.stderr.strip() or f"{take.name}: exit code {done.returncode}")
        found = json.loads(done.stdout)
        return Taken(
            take.name,
            {take.name if name == take.measure else name: value for name, value in found["figures"].items()},
            found["seconds"],
            found["load_cpu_seconds"],
            found.get("server_cpu_seconds"),
        )
