"""What the operating system knows of a measured process and its children: memory, processor time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    """Resident memory of a process and all below it."""
    sizes = {int(child): int(size) for child, _, size in _processes("rss")}
    return sum(sizes[child] for child in family(pid))


def peak_kib(pid: int) -> int | None:
    """The most that a process and each below it ever held; None where the system does not tell (Linux does)."""
    try:
        return sum(_status(child, "VmHWM:") for child in family(pid))
    except OSError:
        return None


def cpu_seconds(pid: int) -> float | None:
    """Processor time that a process and all below it have used; None where the system does not tell (Linux does)."""
    try:
        return sum(_ticks(child) for child in family(pid)) / _TICKS
    except OSError:
        return None


def family(pid: int) -> Sequence[int]:
    """The process and its children, theirs too."""
    children: dict[int, list[int]] = {}
    for child, parent, _ in _processes("rss"):
        children.setdefault(int(parent), []).append(int(child))
    return tuple(_below(pid, children))


def _below(pid: int, children: Mapping[int, Sequence[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _below(child, children)


def _processes(column: str) -> Iterator[list[str]]:
    shown = subprocess.run(["ps", "-A", "-o", f"pid=,ppid=,{column}="], capture_output=True, text=True, check=True)
    return (line.split() for line in shown.stdout.splitlines())


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def _ticks(pid: int) -> int:
    """User and system time, which stand 12th and 13th after the name in parentheses."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
