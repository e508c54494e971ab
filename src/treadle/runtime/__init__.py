"""The composition root: settings to backend, services, worker and app; started in order, stopped in reverse."""

from __future__ import annotations

from treadle.backends import DataDirInUse
from treadle.runtime.process import listen
from treadle.runtime.server import Runtime, serve
from treadle.runtime.storage import SchemaFound, Unreachable, migrate, schema
from treadle.runtime.worker import WorkerRuntime, work

__all__ = [
    "DataDirInUse",
    "Runtime",
    "SchemaFound",
    "Unreachable",
    "WorkerRuntime",
    "listen",
    "migrate",
    "schema",
    "serve",
    "work",
]
