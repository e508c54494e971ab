"""No test can hang the run, and no process outlives its test, even if the run started with signals ignored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent

ORPHAN = """
import subprocess, sys
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)", "treadle.orphan"]

def orphan(output):
    starter = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True)"
    started = subprocess.Popen([sys.executable, "-c", starter, *SLEEP], stdout=subprocess.PIPE, stderr=output)
    pid = started.stdout.readline()
    started.wait()
    open("pids", "ab").write(pid)
    return started
"""


def run_tests(directory: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of ``source`` in their own pytest, started with SIGINT ignored as by ``nohup`` in a script."""
    (directory / "test_inner.py").write_text(source)
    (directory / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "support.watchdog", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )


def is_alive(pid: int) -> bool:
    try:
        return "treadle.orphan" in Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return False


def orphans(directory: Path) -> list[int]:
    return [int(line) for line in (directory / "pids").read_text().split()]


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


def test_a_stuck_test_is_named_and_ended_after_another_test_failed(tmp_path: Path) -> None:
    source = (
        ORPHAN
        + """
def test_fails():
    raise ValueError("which cancels pytest's own timeout")

def test_waits_for_a_pipe_that_an_orphan_holds():
    orphan(subprocess.PIPE).stderr.read()
"""
    )
    result = run_tests(tmp_path, source, "--test-seconds=3")
    assert result.returncode == -signal.SIGABRT
    assert "test_inner.py::test_waits_for_a_pipe_that_an_orphan_holds did not end within 3 s" in result.stderr
    assert "in test_waits_for_a_pipe_that_an_orphan_holds" in result.stderr, "the stacks are dumped"
    assert [pid for pid in orphans(tmp_path) if is_alive(pid)] == []


def test_a_test_that_leaves_a_process_fails_and_the_process_is_killed(tmp_path: Path) -> None:
    source = ORPHAN + "\ndef test_leaves_a_process():\n    orphan(subprocess.DEVNULL).stdout.close()\n"
    result = run_tests(tmp_path, source)
    assert result.returncode == 1
    assert "tests left processes: " in result.stdout
    assert [pid for pid in orphans(tmp_path) if is_alive(pid)] == []


def test_children_have_default_signal_handling_if_the_run_ignores_signals(tmp_path: Path) -> None:
    source = """
import subprocess, sys

def test_child():
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert subprocess.check_output([sys.executable, "-c", program]) == b"True\\n"
"""
    result = run_tests(tmp_path, source)
    assert result.returncode == 0, result.stdout
