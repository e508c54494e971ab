"""Faults from inside a server's process: it kills itself before or after a call of the queue or the event log, and its
clock jumps.

The project under test installs them when its graphs are loaded, so the product knows nothing of them. A point is armed
by a file ``point.<name>`` in ``CHAOS_DIR``; the first process that comes by takes it. The clock is off by as many
seconds as a file ``clock`` (for all processes) or ``clock.<pid>`` says.
"""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import treadle.backends
from treadle.backends.clock import SystemClock

METHODS = ("claim", "finish", "release", "rescue", "renew", "reset", "append", "transact")
NAMES = tuple(f"{method}.{edge}" for method in METHODS for edge in ("before", "after"))


def install() -> None:
    """Wraps the methods of every backend, and the clock."""
    SystemClock.now = _jumping(SystemClock.now)  # type: ignore[method-assign]
    for name in [item.name for item in pkgutil.iter_modules(treadle.backends.__path__)]:
        module = importlib.import_module(f"treadle.backends.{name}")
        for found in list(vars(module).values()):
            if isinstance(found, type) and found.__module__ == module.__name__:
                _wrap(found)


def _wrap(owner: type) -> None:
    for name in METHODS:
        method = vars(owner).get(name)
        if method is not None and _is_coroutine(method) and _serves(owner, name):
            setattr(owner, name, _deadly(name, method))


def _is_coroutine(method: Any) -> bool:
    return hasattr(method, "__code__") and bool(method.__code__.co_flags & 0x80)


def _serves(owner: type, name: str) -> bool:
    """The queue has ``claim`` and ``finish``, the log ``append`` and ``follow``, the records ``transact``."""
    siblings = {"append": "follow", "transact": "read"}
    return hasattr(owner, siblings.get(name, "finish"))


def _deadly(name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        _pass(f"{name}.before")
        result = await method(*args, **kwargs)
        _pass(f"{name}.after")
        return result

    return call


def _pass(point: str) -> None:
    file = Path(os.environ["CHAOS_DIR"]) / f"point.{point}"
    if not file.exists():
        return
    try:
        file.rename(file.with_name(f"taken.{point}.{os.getpid()}"))
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _jumping(now: Callable[[SystemClock], int]) -> Callable[[SystemClock], int]:
    directory = Path(os.environ["CHAOS_DIR"])
    files = (directory / "clock", directory / f"clock.{os.getpid()}")

    @functools.wraps(now)
    def call(self: SystemClock) -> int:
        return now(self) + sum(_microseconds(file) for file in files)

    return call


def _microseconds(file: Path) -> int:
    try:
        return int(float(file.read_text()) * 1e6)
    except (OSError, ValueError):  # it is not there, or being written
        return 0
