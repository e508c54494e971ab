"""The processes under test: each can be killed, stopped, asked to end, made unable to write, and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import httpx

from support import leash

READY_SECONDS = 60.0


class NotReady(AssertionError):
    """A process did not answer in time, or ended instead."""


class Program:
    """``treadle …`` in a process of its own. ``port`` is where it serves, 0 for a worker."""

    def __init__(self, name: str, arguments: list[str], *, log: Path, env: Mapping[str, str], port: int = 0) -> None:
        self.name = name
        self.port = port
        self.log = log
        self.starts = 0
        self.paused = False
        self._arguments = arguments
        self._env = env
        self._leash: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def running(self) -> bool:
        return self._leash is not None and self._leash.poll() is None

    def spawn(self) -> None:
        """Starts it without waiting for it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TREADLE_", "LANG"))}
        self._leash = subprocess.Popen(
            [sys.executable, "-I", "-S", leash.__file__, sys.executable, "-m", "treadle.cli", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**kept, "LANGSMITH_TRACING": "false", "PYTHONUNBUFFERED": "1", **self._env},
            start_new_session=True,
        )
        assert self._leash.stdout is not None
        self._pid = int(self._leash.stdout.readline() or 0)
        self.starts += 1
        self.paused = False
        # The log goes through a pipe: a process that may not write files is still heard.
        threading.Thread(target=self._pump, args=(self._leash,), daemon=True).start()

    async def start(self) -> None:
        """Starts it and returns when it answers; a worker is taken to be ready at once."""
        await asyncio.to_thread(self.spawn)
        if self.port:
            await self.answers()

    async def answers(self, seconds: float = READY_SECONDS) -> None:
        """Returns when it answers requests."""
        deadline = asyncio.get_running_loop().time() + seconds
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"http://127.0.0.1:{self.port}/ok")).status_code == 200:
                        return
                if not self.running or asyncio.get_running_loop().time() > deadline:
                    raise NotReady(f"{self.name} does not answer\n{self.tail()}")
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL; a stopped process takes it too."""
        if self.running:
            leash.kill_family(self._pid)
        self.close()

    def terminate(self, seconds: float = 30.0) -> int | None:
        """SIGTERM. Returns the exit code, or None when it had to be killed."""
        self._signal(signal.SIGTERM)
        assert self._leash is not None
        try:
            code = self._leash.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self.close()
        return code

    def pause(self) -> None:
        self.paused = True
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.paused = False
        self._signal(signal.SIGCONT)

    def limit_files(self, size: int) -> None:
        """No file may be written beyond ``size`` bytes from now on: EFBIG, in place of a full or read-only disk."""
        if self.running:
            resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def unlimit_files(self) -> None:
        self.limit_files(resource.RLIM_INFINITY)

    def close(self) -> None:
        if self._leash is not None:
            self._leash.wait(30.0)
            for pipe in (self._leash.stdin, self._leash.stdout):
                if pipe is not None:
                    pipe.close()
            self._leash = None

    def tail(self, size: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def _pump(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr, self.log.open("ab", buffering=0) as log:
            while data := os.read(process.stderr.fileno(), 65536):
                log.write(data)
