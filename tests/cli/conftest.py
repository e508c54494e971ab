"""The real program in processes of its own, on a small project in a temporary directory. Every wait is bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from support import forked
from support.databases import drop_schema, fresh_schema
from support.watchdog import descendants, kill

TIMEOUT = 60

GRAPH = """
import operator
import time
from pathlib import Path
from typing import Annotated, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt


class State(TypedDict, total=False):
    topic: str
    said: Annotated[list[str], operator.add]


def weave(state: State) -> State:
    print("a node prints to stdout")
    get_stream_writer()({"threads": 3})
    return {"said": [f"weaving {state.get('topic')}"]}


def fail(state: State) -> State:
    raise ValueError("the warp broke")


def ask(state: State) -> State:
    return {"said": [f"they said {interrupt({'question': 'which colour?'})}"]}


def hold(state: State) -> State:
    gate = Path("gate")
    while not gate.exists():
        time.sleep(0.02)
    return {"said": ["released"]}


def single(node):
    return StateGraph(State).add_node(node).add_edge(START, node.__name__).add_edge(node.__name__, END).compile()


agent, broken, asking, holding = single(weave), single(fail), single(ask), single(hold)
"""

CONFIG = """{
  "dependencies": ["."],
  "graphs": {
    "agent": "./graph.py:agent",
    "broken": "./graph.py:broken",
    "asking": "./graph.py:asking",
    "holding": "./graph.py:holding"
  }
}
"""


def environment(**extra: str) -> dict[str, str]:
    """The environment without anything that would change what the program does."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TREADLE_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "COLUMNS"))
    }
    return {**kept, "LANGSMITH_TRACING": "false", "COLUMNS": "160", "NO_COLOR": "1", **extra}


class Program:
    """A running ``treadle`` whose output is read line by line as it comes."""

    def __init__(self, *arguments: str, cwd: Path, env: Mapping[str, str]) -> None:
        # ``dev`` and ``run`` start a server of their own, and as it is started everywhere: that is left as it is.
        popen = forked.Popen if arguments[0] in ("serve", "worker") else subprocess.Popen
        self.process = popen(
            [sys.executable, "-m", "treadle.cli", *arguments],
            cwd=cwd,
            env=dict(env),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.stdout), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.stderr), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))
            self._lines.put(line.rstrip("\n"))

    def wait_for(self, text: str) -> str:
        """The next line, of either stream, that holds ``text``."""
        deadline = time.monotonic() + TIMEOUT
        while (left := deadline - time.monotonic()) > 0:
            with suppress(Empty):
                line = self._lines.get(timeout=min(left, 0.5))
                if text in line:
                    return line
                continue
            if self.process.poll() is not None and self._lines.empty():
                break
        pytest.fail(f"never said {text!r}; stdout: {self.stdout}, stderr: {self.stderr}")

    def ready(self) -> str:
        """The address, once it is announced."""
        return self.wait_for("treadle is ready at ").removeprefix("treadle is ready at ")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(TIMEOUT)
        for reader in self._readers:
            reader.join(TIMEOUT)
        return code

    def close(self) -> None:
        """End the program, together with a server that it started and did not stop."""
        family = descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self.process.kill()
        kill(family)
        self.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


class Treadle:
    """The program, in a project's directory."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self.started: list[Program] = []

    def __call__(
        self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs it to its end."""
        command = [sys.executable, "-m", "treadle.cli", *arguments]
        return forked.run(command, cwd=self.cwd, env=environment(**(env or {})), input=stdin, timeout=TIMEOUT)

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> Program:
        program = Program(*arguments, cwd=self.cwd, env=environment(**(env or {})))
        self.started.append(program)
        return program

    def serve(self, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[Program, str]:
        """A server on a free port, and its address."""
        program = self.start("serve", "--port=0", *arguments, env=env)
        return program, program.ready()

    def work(self, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[Program, str]:
        """A worker, and what it says of itself."""
        program = self.start("worker", *arguments, env=env)
        return program, program.wait_for("treadle worker is ready: ").removeprefix("treadle worker is ready: ")


@pytest.fixture
def empty_database() -> Iterator[str]:
    """The URL of a PostgreSQL database that holds nothing yet."""
    url = fresh_schema(migrated=False)
    yield url
    drop_schema(url)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "graph.py").write_text(GRAPH)
    (tmp_path / "langgraph.json").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def treadle(project: Path) -> Iterator[Treadle]:
    program = Treadle(project)
    yield program
    for started in program.started:
        started.close()


@pytest.fixture
def write(project: Path) -> Callable[[str, str], None]:
    """Writes a file of the project."""
    return lambda name, text: (project / name).write_text(text) and None
