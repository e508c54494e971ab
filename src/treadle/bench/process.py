"""Read memory and CPU time of a process and its descendants, and raise the limit of open descriptors."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    """Return the resident memory of a process and its descendants."""
    sizes = {int(child): int(size) for child, _, size in _processes("rss")}
    return sum(sizes[child] for child in family(pid))


def peak_kib(pid: int) -> int | None:
    """Return the sum of the peaks of a process and its descendants, or None where /proc is missing."""
    try:
        return sum(_status(child, "VmHWM:") for child in family(pid))
    except OSError:
        return None


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time used by a process and its descendants, or None where /proc is missing."""
    try:
        return sum(_ticks(child) for child in family(pid)) / _TICKS
    except OSError:
        return None


def family(pid: int) -> Sequence[int]:
    """Return the process and its descendants."""
    children: dict[int, list[int]] = {}
    for child, parent, _ in _processes("rss"):
        children.setdefault(int(parent), []).append(int(child))
    return tuple(_below(pid, children))


def _below(pid: int, children: Mapping[int, Sequence[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _below(child, children)


def _processes(column: str) -> Iterator[list[str]]:
    listed = subprocess.run(["ps", "-A", "-o", f"pid=,ppid=,{column}="], capture_output=True, text=True, check=True)
    return (line.split() for line in listed.stdout.splitlines())


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _ticks(pid: int) -> int:
    """Return user plus system time: the 12th and 13th fields after the name in parentheses."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def raise_descriptor_limit() -> None:
    """Allow this process and its children as many descriptors as the system permits: each stream takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS reports no limit, and then rejects one so high
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
