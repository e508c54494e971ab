"""The Python client. ``_async`` is the source, ``_sync`` is generated from it by scripts/unasync.py."""

from __future__ import annotations

from ._async.client import AsyncClient
from ._async.stream import AsyncEventStream
from ._sync.client import Client
from ._sync.stream import EventStream
from .abort import AbortSignal
from .options import BatchItem, RunCreated, RunOptions
from .retry import Retry

__all__ = [
    "AbortSignal",
    "AsyncClient",
    "AsyncEventStream",
    "BatchItem",
    "Client",
    "EventStream",
    "Retry",
    "RunCreated",
    "RunOptions",
]
