"""Runs a program that ends with the process that started it: ``python leash.py PROGRAM ARGUMENT…``

It prints the program's pid, ends when the program does, with its exit code, and kills it and its children when stdin is
closed, which the kernel does for a starter that was killed. PR_SET_PDEATHSIG would do it without a process of its own,
but fires when the starting thread ends, and tests start servers from pools.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


def kill_family(pid: int) -> None:
    """SIGKILL to a process and its children. It is stopped first, so that it makes no more of them."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    for each in (pid, *children(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """PostgreSQL's are each a session of their own, so that no signal to a group reaches them."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _parent(entry) == pid]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _watch(program: subprocess.Popen[bytes]) -> None:
    sys.stdin.read()
    if program.poll() is None:
        kill_family(program.pid)


if __name__ == "__main__":
    started = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
    print(started.pid, flush=True)
    threading.Thread(target=_watch, args=(started,), daemon=True).start()
    code = started.wait()
    # Past the thread that waits on stdin: closing down normally would wait for it.
    os._exit(code if code >= 0 else 128 - code)
