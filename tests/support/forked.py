"""``treadle`` in processes of their own that need not import it: each is forked from one that has.

A server is there in a fifth of the time, and tests start hundreds. ``Popen`` takes the place of ``subprocess.Popen``
for ``python -m treadle.cli …``. What it starts has its own pid, descriptors, environment and directory, dies of SIGKILL
as any other, and ends when the process that started it does.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

PROGRAM = (sys.executable, "-m", "treadle.cli")
_START_SECONDS = 60.0
_LARGEST = 1024 * 1024
_IMPORTED = (
    *("treadle.runtime", "treadle.backends.engine.postgres", "treadle.backends.live.relay_redis", "redis.asyncio"),
    *("langgraph.graph", "langchain_core.language_models", "uvloop", "uvicorn.protocols.http.httptools_impl"),
)
"""What programs come to import sooner or later, beside what each of them imports at once."""

# --- for tests --------------------------------------------------------------------------------------------------------

_lock = threading.Lock()
_channel: socket.socket | None = None


def _template() -> socket.socket:
    """The way to the process that the others are forked from; it ends with this one."""
    global _channel
    if _channel is None:
        _channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        _channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
        with theirs:
            template = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(_end, template, _channel)
    return _channel


def _end(template: subprocess.Popen[bytes], channel: socket.socket) -> None:
    channel.close()
    template.wait(_START_SECONDS)


class Popen:
    """As much of ``subprocess.Popen`` as tests of servers use. Without ``stdin`` there is none."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        text: bool = False,
    ) -> None:
        assert tuple(command[:3]) == PROGRAM, f"only {PROGRAM} is forked, not {command[:3]}"
        self.args = list(command)
        self.returncode: int | None = None
        with open(os.devnull, "rb") as nothing:
            source = nothing if stdin is None or isinstance(stdin, int) else stdin
            self.stdout, out = _side(stdout, 1, text)
            self.stderr, error = _side(stderr, 2, text)
            report, reporting = os.pipe()
            self._report = os.fdopen(report, "rb", buffering=0)
            asked = {
                "arguments": command[3:],
                "directory": str(cwd or Path.cwd()),
                "environment": dict(env or os.environ),
            }
            try:
                with _lock:
                    socket.send_fds(_template(), [json.dumps(asked).encode()], [source.fileno(), out, error, reporting])
            finally:
                os.close(reporting)
                for side, end in ((self.stdout, out), (self.stderr, error)):
                    if side is not None:
                        os.close(end)
        self.pid = int(self._line(_START_SECONDS))

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.returncode = int(self._line(timeout))
            self._report.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and its keeper is about to say so
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _line(self, seconds: float | None) -> bytes:
        if not select.select([self._report], [], [], seconds)[0]:
            raise subprocess.TimeoutExpired(self.args, seconds or 0.0)
        line = os.read(self._report.fileno(), 16)
        assert line, "the process that others are forked from has ended"
        return line


def run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], input: str | None, timeout: float
) -> subprocess.CompletedProcess[str]:
    """``subprocess.run`` that captures what is written. Raises TimeoutExpired, the process killed."""
    with TemporaryFile("w+") as source, TemporaryFile("w+") as out, TemporaryFile("w+") as error:
        source.write(input or "")
        source.seek(0)
        process = Popen(command, stdin=source, stdout=out, stderr=error, cwd=cwd, env=env)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        for file in (out, error):
            file.seek(0)
        return subprocess.CompletedProcess(list(command), code, out.read(), error.read())


def _side(given: int | IO[Any] | None, number: int, text: bool) -> tuple[Any, int]:
    """Our end of an output, where it is a pipe, and the process's."""
    if given == subprocess.PIPE:
        ours, theirs = os.pipe()
        return (open(ours) if text else open(ours, "rb")), theirs
    if given is None:
        return None, number
    return None, given if isinstance(given, int) else given.fileno()


# --- the template, and what becomes of its forks ----------------------------------------------------------------------


def _serve(channel: socket.socket) -> dict[str, Any]:
    """Forks for each request. Returns it in the process that is to become the program."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _LARGEST, 4)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            *streams, report = descriptors
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            pid = os.fork()
            if pid:
                channel.close()
                _keep(pid, report, streams)
            for number, descriptor in enumerate(streams):
                os.dup2(descriptor, number)
            os.closerange(3, max(descriptors) + 1)
            return json.loads(message)
        for descriptor in descriptors:
            os.close(descriptor)


def _keep(pid: int, report: int, streams: Sequence[int]) -> None:
    """Tells the starter the pid and, in the end, the exit code; kills the program when the starter is gone."""
    for descriptor in streams:
        os.close(descriptor)
    os.write(report, b"%d\n" % pid)
    program = os.pidfd_open(pid)
    watched = select.poll()
    watched.register(program, select.POLLIN)
    watched.register(report, 0)  # poll reports the error when the reader has gone
    if all(descriptor != program for descriptor, _ in watched.poll()):
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    try:
        os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
    finally:
        os._exit(0)


def _become(asked: Mapping[str, Any]) -> None:
    """What the interpreter does before a module that it is started with."""
    os.chdir(asked["directory"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path[0] = asked["directory"]
    sys.argv = ["treadle", *asked["arguments"]]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _import_all() -> None:
    for name in _IMPORTED:
        import_module(name)
    import_module("treadle.cli").complete()
    assert len(os.listdir("/proc/self/task")) == 1, "a process with threads cannot be forked"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.path.pop(0)  # the tests' own modules are not the program's
    sys.path.insert(0, "")
    _import_all()
    _become(_serve(socket.socket(fileno=int(sys.argv[1]))))
    import_module("treadle.cli").main()
