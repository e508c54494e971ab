"""The composition root: builds backend, services, worker and app from the settings, starts them in order, stops them in
reverse."""

from __future__ import annotations

from treadle.backends import DataDirInUse
from treadle.runtime.process import configure_logging, listen
from treadle.runtime.server import Runtime, serve
from treadle.runtime.worker import WorkerRuntime, work

__all__ = ["DataDirInUse", "Runtime", "WorkerRuntime", "configure_logging", "listen", "serve", "work"]
