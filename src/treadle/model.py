"""The wire model: every request and result body of the official protocol, shared by server, client and OpenAPI.

Times are UTC datetimes with microseconds. Ids are strings; the server generates UUIDv7.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

JSON = dict[str, Any]

RunStatus = Literal["pending", "running", "error", "success", "timeout", "interrupted"]
ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
CancelAction = Literal["interrupt", "rollback"]
MultitaskStrategy = Literal["reject", "interrupt", "rollback", "enqueue"]
Durability = Literal["sync", "async", "exit"]
StreamMode = Literal[
    "values",
    "updates",
    "messages",
    "messages-tuple",
    "events",
    "debug",
    "tasks",
    "checkpoints",
    "custom",
    "metadata",
]

STREAM_MODES: tuple[StreamMode, ...] = StreamMode.__args__  # type: ignore[attr-defined]
RUN_STATUSES: tuple[RunStatus, ...] = RunStatus.__args__  # type: ignore[attr-defined]

RUN_ARROWS: dict[RunStatus, frozenset[RunStatus]] = {
    "pending": frozenset({"running", "interrupted", "error"}),
    "running": frozenset({"pending", "success", "error", "timeout", "interrupted"}),
    "success": frozenset(),
    "error": frozenset(),
    "timeout": frozenset(),
    "interrupted": frozenset(),
}
"""Allowed status transitions, drawn in docs/run-lifecycle.md. Any run may also be deleted; a rollback is a deletion."""

TERMINAL: frozenset[RunStatus] = frozenset(status for status, arrows in RUN_ARROWS.items() if not arrows)
ACTIVE: frozenset[RunStatus] = frozenset(RUN_ARROWS) - TERMINAL


# --- requests ---------------------------------------------------------------------------------------------------------


class RunConfig(Struct, omit_defaults=True):
    """``config`` of a request: the part of LangGraph's RunnableConfig that JSON can carry."""

    tags: list[str] | None = None
    recursion_limit: int | None = None
    configurable: JSON | None = None
    metadata: JSON | None = None


class SendRequest(Struct, forbid_unknown_fields=True):
    """A ``goto`` target with its own input."""

    node: str
    input: Any = None


class Command(Struct, forbid_unknown_fields=True):
    """``command`` of a request. ``update`` is a dict or a list of ``[key, value]`` pairs."""

    update: JSON | list[tuple[str, Any]] | None = None
    resume: Any = None
    goto: str | SendRequest | list[str | SendRequest] | None = None


class CheckpointRef(Struct):
    """``checkpoint`` of a request: the checkpoint to fork from, or to read the state at."""

    thread_id: str | None = None
    checkpoint_ns: str | None = None
    checkpoint_id: str | None = None
    checkpoint_map: JSON | None = None


class Tracer(Struct, omit_defaults=True):
    """``langsmith_tracer`` of a request. It only sets the run's session name; nothing is sent anywhere."""

    project_name: str | None = None
    example_id: str | None = None


class RunCreate(Struct, kw_only=True):
    """The body of every call that creates a run. An explicit null means the default."""

    assistant_id: str
    input: Any = None
    command: Command | None = None
    checkpoint: CheckpointRef | None = None
    checkpoint_id: str | None = None
    config: RunConfig | None = None
    context: JSON | None = None
    metadata: JSON | None = None
    webhook: str | None = None
    interrupt_before: Literal["*"] | list[str] | None = None
    interrupt_after: Literal["*"] | list[str] | None = None
    stream_mode: StreamMode | list[StreamMode] | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    feedback_keys: list[str] | None = None
    multitask_strategy: MultitaskStrategy | None = None
    if_not_exists: Literal["create", "reject"] | None = None
    after_seconds: int | float | None = None
    checkpoint_during: bool | None = None
    durability: Durability | None = None
    on_disconnect: Literal["cancel", "continue"] | None = None
    on_completion: Literal["delete", "keep"] | None = None
    langsmith_tracer: Tracer | None = None
    strict_resume: bool | None = None


class RunsCancel(Struct):
    """``POST /runs/cancel``: either ``thread_id`` with ``run_ids``, or ``status``."""

    thread_id: str | None = None
    run_ids: list[str] | None = None
    status: Literal["pending", "running", "all"] | None = None


class CronCreate(RunCreate, kw_only=True):
    """The body of the calls that create a cron: a run request and its schedule.

    ``on_run_completed`` only applies to crons without a thread. ``timezone`` is an IANA name and defaults to UTC.
    """

    schedule: str
    timezone: str | None = None
    end_time: datetime | None = None
    enabled: bool | None = None
    on_run_completed: Literal["delete", "keep"] | None = None


class CronPatch(Struct, kw_only=True):
    """Fields to replace; metadata is merged. A null ``end_time`` or ``timezone`` clears it."""

    schedule: str | None = None
    timezone: str | UnsetType | None = UNSET
    end_time: datetime | UnsetType | None = UNSET
    enabled: bool | None = None
    on_run_completed: Literal["delete", "keep"] | None = None
    input: Any = UNSET
    command: Command | None = None
    config: RunConfig | None = None
    context: JSON | None = None
    metadata: JSON | None = None
    webhook: str | None = None
    interrupt_before: Literal["*"] | list[str] | None = None
    interrupt_after: Literal["*"] | list[str] | None = None
    stream_mode: StreamMode | list[StreamMode] | None = None
    stream_subgraphs: bool | None = None
    stream_resumable: bool | None = None
    multitask_strategy: MultitaskStrategy | None = None
    checkpoint_during: bool | None = None
    durability: Durability | None = None


class CronSearch(Struct, kw_only=True):
    assistant_id: str | None = None
    thread_id: str | None = None
    enabled: bool | None = None
    metadata: JSON | None = None
    limit: int | None = None
    offset: int | None = None
    sort_by: (
        Literal["cron_id", "assistant_id", "thread_id", "created_at", "updated_at", "next_run_date", "end_time"] | None
    ) = None
    sort_order: Literal["asc", "desc"] | None = None
    select: list[str] | None = None


class AssistantCreate(Struct, kw_only=True):
    graph_id: str
    assistant_id: str | None = None
    config: RunConfig | None = None
    context: JSON | None = None
    metadata: JSON | None = None
    name: str | None = None
    description: str | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None


class AssistantPatch(Struct, kw_only=True):
    graph_id: str | None = None
    config: RunConfig | None = None
    context: JSON | None = None
    metadata: JSON | None = None
    name: str | None = None
    description: str | None = None


class AssistantSearch(Struct, kw_only=True):
    metadata: JSON | None = None
    graph_id: str | None = None
    name: str | None = None
    limit: int | None = None
    offset: int | None = None
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] | None = None
    sort_order: Literal["asc", "desc"] | None = None
    select: list[str] | None = None


class AssistantVersions(Struct, kw_only=True):
    """``POST /assistants/{a}/versions``."""

    metadata: JSON | None = None
    limit: int | None = None
    offset: int | None = None


class AssistantLatest(Struct, kw_only=True):
    """``POST /assistants/{a}/latest``."""

    version: int


class ThreadTTL(Struct):
    """Expire a thread ``ttl`` minutes after its last change.

    ``delete`` removes the thread, ``keep_latest`` all but its latest checkpoints.
    """

    ttl: int | float
    strategy: Literal["delete", "keep_latest"] = "delete"


class SuperstepUpdate(Struct, kw_only=True):
    """One node's update within a superstep: the ``values`` or the ``command`` that it returned."""

    values: Any = None
    command: Command | None = None
    as_node: str | None = None


class Superstep(Struct):
    updates: list[SuperstepUpdate]


class ThreadCreate(Struct, kw_only=True):
    """``supersteps`` are the thread's initial history. They require a ``graph_id``, here or in the metadata."""

    thread_id: str | None = None
    metadata: JSON | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None
    graph_id: str | None = None
    supersteps: list[Superstep] | None = None
    ttl: ThreadTTL | None = None


class ThreadPatch(Struct, kw_only=True):
    metadata: JSON | None = None
    ttl: ThreadTTL | None = None


class ThreadPrune(Struct, kw_only=True):
    """``POST /threads/prune``: ``delete`` removes the threads, ``keep_latest`` all but their latest checkpoints."""

    thread_ids: list[str]
    strategy: Literal["delete", "keep_latest"] | None = None


class ThreadSearch(Struct, kw_only=True):
    ids: list[str] | None = None
    metadata: JSON | None = None
    values: JSON | None = None
    status: ThreadStatus | None = None
    limit: int | None = None
    offset: int | None = None
    sort_by: Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] | None = None
    sort_order: Literal["asc", "desc"] | None = None
    select: list[str] | None = None
    extract: dict[str, str] | None = None


class ThreadStateUpdate(Struct, kw_only=True):
    values: JSON | list[Any] | None = None
    as_node: str | None = None
    checkpoint_id: str | None = None
    checkpoint: CheckpointRef | None = None


class ThreadStateAt(Struct, kw_only=True):
    """``POST /threads/{t}/state/checkpoint``."""

    checkpoint: CheckpointRef
    subgraphs: bool | None = None
    select: list[str] | None = None


class ThreadHistory(Struct, kw_only=True):
    """``before`` is a checkpoint id or ``{configurable: {checkpoint_id}}``."""

    limit: int | None = None
    before: str | JSON | None = None
    metadata: JSON | None = None
    checkpoint: CheckpointRef | None = None
    select: list[str] | None = None


# --- results ----------------------------------------------------------------------------------------------------------


class Run(Struct, kw_only=True):
    """A run. ``kwargs`` is its request with defaults filled in."""

    run_id: str
    thread_id: str
    assistant_id: str
    created_at: datetime
    updated_at: datetime
    status: RunStatus
    metadata: JSON
    kwargs: JSON
    multitask_strategy: MultitaskStrategy
    langsmith_session_name: str | None = None

    @property
    def config(self) -> JSON:
        """``kwargs["config"]``: tags, recursion_limit, configurable, metadata."""
        return self.kwargs.get("config") or {}


class Assistant(Struct, kw_only=True):
    assistant_id: str
    graph_id: str
    config: JSON
    context: JSON
    metadata: JSON
    name: str
    created_at: datetime
    updated_at: datetime
    version: int
    description: str | None = None


class ThreadExpiry(Struct, kw_only=True):
    strategy: Literal["delete", "keep_latest"]
    ttl_minutes: float
    expires_at: datetime | None


class Thread(Struct, kw_only=True):
    """A thread. ``values`` is the state after its last run; ``error`` and ``interrupts`` appear after the first run.

    ``ttl`` is only included on request. It holds the strategy, the minutes and the time of expiry if nothing changes.
    """

    thread_id: str
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime
    metadata: JSON
    status: ThreadStatus
    config: JSON
    values: Any = None
    error: JSON | UnsetType | None = UNSET
    interrupts: JSON | UnsetType = UNSET
    ttl: ThreadExpiry | UnsetType | None = UNSET


class Cron(Struct, kw_only=True):
    """A schedule that creates runs. ``payload`` is the original request.

    ``next_run_date`` is null once the schedule has ended; ``on_run_completed`` is null for the crons of a thread.
    """

    cron_id: str
    assistant_id: str
    thread_id: str | None
    user_id: str = ""
    end_time: datetime | None
    schedule: str
    timezone: str | None
    payload: JSON
    next_run_date: datetime | None
    metadata: JSON
    on_run_completed: Literal["delete", "keep"] | None
    enabled: bool
    created_at: datetime
    updated_at: datetime


DeliveryStatus = Literal["pending", "delivered", "failed"]


class WebhookDelivery(Struct, kw_only=True):
    """The delivery of a finished run to its webhook. ``delivery_id`` is the ``webhook-id`` header of every attempt.

    ``run_status`` is a RunStatus or ``rollback``. ``failed`` means that no further attempt will be made.
    """

    delivery_id: str
    run_id: str
    thread_id: str
    run_status: str
    url: str
    status: DeliveryStatus
    tries: int
    created_at: datetime
    next_try_at: datetime | None
    finished_at: datetime | None


class WebhookTry(Struct, kw_only=True):
    """One delivery attempt: the receiver's status code, or the error that prevented a response."""

    number: int
    at: datetime
    duration_ms: int
    status_code: int | None
    error: str | None


class WebhookDeliveryLog(WebhookDelivery, kw_only=True):
    """A delivery with all its attempts and its payload, without ``webhook_sent_at``, which each attempt adds."""

    log: list[WebhookTry]
    payload: Any


class ThreadTask(Struct, kw_only=True):
    id: str
    name: str
    path: list[Any] = []
    error: str | None = None
    interrupts: list[JSON] = []
    checkpoint: JSON | None = None
    state: Any = None
    result: Any = None


class AssistantVersion(Struct, kw_only=True):
    """One version of an assistant. ``created_at`` is the time at which this version was created."""

    assistant_id: str
    version: int
    graph_id: str
    config: JSON
    context: JSON
    metadata: JSON
    created_at: datetime
    name: str
    description: str | None = None


class StateUpdated(Struct, kw_only=True):
    """The result of a state update: the new checkpoint, in the three places where clients look for it."""

    checkpoint: JSON
    configurable: JSON
    checkpoint_id: str


class Pruned(Struct, kw_only=True):
    pruned_count: int


class ThreadState(Struct, kw_only=True):
    """The state of a thread at one checkpoint."""

    values: Any
    next: list[str]
    tasks: list[ThreadTask]
    metadata: JSON | None
    created_at: str | None
    checkpoint: JSON | None
    parent_checkpoint: JSON | None
    interrupts: list[JSON]
    checkpoint_id: str | None = None
    parent_checkpoint_id: str | None = None


# --- the event log ----------------------------------------------------------------------------------------------------


class Event(msgspec.Struct, frozen=True, array_like=True):
    """One event as stored in the log: raw parts, not wire bytes. Its ``seq`` follows from its position in the log.

    ``mode`` is the wire's event name without the namespace (``values``, ``messages/partial``, ``end`` …), ``ns`` the
    subgraph path joined by ``|`` (empty at the root), ``data`` compact JSON, and ``ms`` unix milliseconds.
    """

    ms: int
    mode: str
    ns: str
    data: bytes

    @property
    def name(self) -> str:
        """The name on the wire: ``updates|sub:<task id>``."""
        return f"{self.mode}|{self.ns}" if self.ns else self.mode
