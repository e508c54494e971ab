"""Runs management and streaming for LangGraph. Start with ``Client`` or ``AsyncClient``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ConflictError,
    ConnectionFailed,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RunFailed,
    RunTimeoutError,
    ServerError,
    StreamAborted,
    StreamTruncated,
    TooLargeError,
    TreadleError,
    UnavailableError,
    UnprocessableError,
)
from treadle.model import (
    Assistant,
    CancelAction,
    Durability,
    MultitaskStrategy,
    Run,
    RunStatus,
    StreamMode,
    Thread,
    ThreadState,
    ThreadStatus,
)
from treadle.run_search import FoundRun, Page
from treadle.server_state import ServerState

if TYPE_CHECKING:
    from treadle.client import (
        AbortSignal,
        AsyncClient,
        AsyncEventStream,
        BatchItem,
        Client,
        EventStream,
        Retry,
        RunCreated,
        RunOptions,
    )
    from treadle.client.events import (
        CheckpointsEvent,
        CustomEvent,
        DebugEvent,
        EndEvent,
        ErrorEvent,
        EventsEvent,
        GapEvent,
        MessagesEvent,
        MessagesMetadataEvent,
        MessagesTupleEvent,
        MetadataEvent,
        StreamEvent,
        TasksEvent,
        UnknownEvent,
        UpdatesEvent,
        ValuesEvent,
    )

__all__ = [
    "APIError",
    "AbortSignal",
    "Assistant",
    "AsyncClient",
    "AsyncEventStream",
    "AuthenticationError",
    "BadRequestError",
    "BatchItem",
    "CancelAction",
    "CheckpointsEvent",
    "Client",
    "ConfigError",
    "ConflictError",
    "ConnectionFailed",
    "CustomEvent",
    "DebugEvent",
    "DecodeError",
    "Durability",
    "EndEvent",
    "ErrorEvent",
    "EventStream",
    "EventsEvent",
    "FoundRun",
    "GapEvent",
    "MessagesEvent",
    "MessagesMetadataEvent",
    "MessagesTupleEvent",
    "MetadataEvent",
    "MultitaskStrategy",
    "NotFoundError",
    "Page",
    "PermissionDeniedError",
    "RateLimitError",
    "Retry",
    "Run",
    "RunCreated",
    "RunFailed",
    "RunOptions",
    "RunStatus",
    "RunTimeoutError",
    "ServerError",
    "ServerState",
    "StreamAborted",
    "StreamEvent",
    "StreamMode",
    "StreamTruncated",
    "TasksEvent",
    "Thread",
    "ThreadState",
    "ThreadStatus",
    "TooLargeError",
    "TreadleError",
    "UnavailableError",
    "UnknownEvent",
    "UnprocessableError",
    "UpdatesEvent",
    "ValuesEvent",
]


def __getattr__(name: str) -> Any:
    """Import the client on first use, so that a server process starts without it."""
    if name not in __all__:
        raise AttributeError(f"module 'treadle' has no attribute {name!r}")
    from treadle import client
    from treadle.client import events

    return getattr(events if name in vars(events) and name.endswith("Event") else client, name)


def __dir__() -> list[str]:
    return __all__
