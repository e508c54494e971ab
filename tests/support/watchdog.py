"""A pytest plugin that ends stuck tests and leftover processes, whatever state the test process is in.

A separate process watches the tests, so no test can cancel it. If a test exceeds its time, the watchdog names it, makes
the test process dump its stacks, and kills it with everything that it started. pytest's own timeout is cancelled by a
failure, after which the teardown of the failed test could wait forever.

As a program, ``python watchdog.py PID SECONDS`` reads a line with the name of each test that starts from stdin, and an
empty line when it ends. It ends with the process PID, and kills what that one leaves behind.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

TEST_SECONDS = 300.0
MARK = "PYTEST_WATCHED_PID"  # environment variable that the processes of a test run inherit
_EXIT_SECONDS = 10.0
_SET_CHILD_SUBREAPER = 36  # of prctl
_INTERVAL_SECONDS = 0.1


def descendants(pid: int) -> list[int]:
    """The children of a process, their children, and so on. Empty where /proc is missing."""
    children: dict[int, list[int]] = {}
    for each in _pids():
        children.setdefault(_parent(each), []).append(each)
    family = children.get(pid, [])
    for each in family:  # grows while it is read
        family += children.get(each, [])
    return family


def kill(pids: list[int]) -> None:
    """Send SIGKILL to all of the processes that still exist."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _pids() -> list[int]:
    with suppress(FileNotFoundError):
        return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return []


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or belongs to another user
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


# --- the plugin -------------------------------------------------------------------------------------------------------


class _Watchdog:
    """The connection of this test process to its watchdog, which ends once this process has ended."""

    def __init__(self, seconds: float) -> None:
        command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(seconds)]
        reader, self._writer = os.pipe()
        os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0)])
        os.close(reader)

    def announce(self, test: str) -> None:
        with suppress(BrokenPipeError):  # the test killed the watchdog
            os.write(self._writer, test.encode() + b"\n")


def _handle_signals() -> None:
    """Restore signals that the runner ignores (``nohup make test &``): children would inherit that and not stop."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that they can be found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


_handle_signals()
_adopt_orphans()
os.environ[MARK] = str(os.getpid())
_watchdog: _Watchdog | None = None
_distributes = False  # whether the tests run in workers of this process


def pytest_addoption(parser) -> None:
    parser.addoption("--test-seconds", type=float, default=TEST_SECONDS, help="end a test after this time")


def pytest_configure(config) -> None:
    global _watchdog, _distributes
    _distributes = not hasattr(config, "workerinput") and bool(config.getoption("numprocesses", None))
    _watchdog = _Watchdog(config.getoption("--test-seconds") * (2 if _distributes else 1))


def pytest_runtest_logreport(report) -> None:
    """Watch the workers as a whole: one of them must report a test within twice the time of a test."""
    if _distributes and _watchdog is not None:
        _watchdog.announce(report.nodeid)


def pytest_sessionfinish() -> None:
    if _watchdog is not None:
        _watchdog.announce("")


def leftovers(file: str) -> dict[int, str]:
    """The programs of treadle that tests of this file started and that are still running, with those tests."""
    mark = f"PYTEST_CURRENT_TEST={file}::".encode()
    candidates = [pid for pid in descendants(os.getpid()) if "treadle." in _command(pid)]
    return {pid: each.decode() for pid in candidates for each in _environment(pid) if each.startswith(mark)}


def _check_leftovers(file: str) -> None:
    running = leftovers(file)
    commands = [f"{test}: {_command(pid)}" for pid, test in running.items()]
    kill([*running])
    for pid in running:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    if commands:
        raise AssertionError(f"tests left processes: {commands}")


try:
    import pytest
except ImportError:  # the program, which runs without site packages
    pass
else:

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(item) -> Generator[None, Any, Any]:
        assert _watchdog is not None
        _watchdog.announce(item.nodeid)
        try:
            return (yield)
        finally:
            _watchdog.announce("")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(item, nextitem) -> Generator[None]:
        yield
        if nextitem is None or nextitem.path != item.path:  # fixtures of the whole file are torn down now
            _check_leftovers(item.nodeid.partition("::")[0])


# --- the program ------------------------------------------------------------------------------------------------------


def watch(pid: int, seconds: float) -> None:
    """Follow the tests of a process until it ends or a test exceeds ``seconds``."""
    test, deadline = b"", 0.0
    while select.select([0], [], [], max(deadline - time.monotonic(), 0.0) if test else None)[0]:
        lines = os.read(0, 65536)
        if not lines:
            _clean_up(pid)
            return
        test, deadline = lines.split(b"\n")[-2], time.monotonic() + seconds
    print(f"\n{test.decode()} did not end within {seconds:g} s; its process is aborted", file=sys.stderr, flush=True)
    _abort(pid)


def _abort(pid: int) -> None:
    family = [each for each in descendants(pid) if each != os.getpid()]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGABRT)  # faulthandler dumps the stacks of all threads
    _wait_for([pid])
    kill([pid, *family])


def _clean_up(pid: int) -> None:
    """Kill the processes that a test process leaves behind. Most of them end by themselves with it."""
    mark = f"{MARK}={pid}".encode()
    family = [each for each in _pids() if mark in _environment(each) and each not in (pid, os.getpid())]
    _wait_for(family)
    kill([each for each in family if mark in _environment(each)])


def _wait_for(pids: list[int]) -> None:
    deadline = time.monotonic() + _EXIT_SECONDS
    while any(_command(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(_INTERVAL_SECONDS)


if __name__ == "__main__":
    watch(int(sys.argv[1]), float(sys.argv[2]))
