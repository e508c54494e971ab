"""The typed events of a stream, one class per mode, for use with ``match``; and their decoder.

match event:
    case ValuesEvent(data=state): ...
    case CustomEvent(data): ...
    case EndEvent(status="success"): ...
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeAlias, TypedDict

import msgspec
from msgspec import Struct
from typing_extensions import TypeVar

from treadle.errors import DecodeError
from treadle.model import JSON
from treadle.sse import Frame, parse_event_id

from .shapes import Shape, shape

D = TypeVar("D")
S = TypeVar("S", default=JSON)
U = TypeVar("U", default=Any)
C = TypeVar("C", default=Any)

EndStatus = Literal["success", "error", "timeout", "interrupted", "rolled_back"]


class BaseEvent(Struct, Generic[D], frozen=True):
    """The fields of every event.

    ``event`` is the name on the wire without the namespace. ``id`` can be passed to join_stream as last_event_id; it is
    None for control events. ``tags`` are the run's. ``namespace`` is the path of the subgraph, empty at the root.
    """

    data: D
    event: str = ""
    id: str | None = None
    tags: tuple[str, ...] = ()
    namespace: tuple[str, ...] = ()

    @property
    def timestamp(self) -> datetime | None:
        """The time when the server recorded it (UTC, milliseconds), from the id; None without one."""
        parsed = parse_event_id(self.id) if self.id else None
        return datetime.fromtimestamp(parsed[0] / 1000, UTC) if parsed else None


class ValuesEvent(BaseEvent[S], Generic[S], frozen=True):
    """``values``: the whole state after a step. ``interrupts`` lists the open interrupts; untyped data includes them
    too."""

    interrupts: list[JSON] = []


class UpdatesEvent(BaseEvent[dict[str, U]], Generic[U], frozen=True):
    """``updates``: the update of each node, ``{node: update}``. ``interrupts`` as in ValuesEvent."""

    interrupts: list[JSON] = []


class MessagesEvent(BaseEvent[list[JSON]], frozen=True):
    """``messages``: ``[message]``, accumulated so far (event ``messages/partial``) or complete
    (``messages/complete``)."""

    @property
    def complete(self) -> bool:
        return self.event == "messages/complete"


class MessagesMetadataEvent(BaseEvent[dict[str, JSON]], frozen=True):
    """``messages/metadata``: ``{message id: {"metadata": …}}``, once per message, before it."""


class MessagesTupleEvent(BaseEvent[tuple[JSON, JSON]], frozen=True):
    """``messages-tuple``: ``(chunk, metadata)``; the chunk is a delta."""


class ExecutionData(TypedDict, total=False):
    event: str
    name: str
    data: JSON
    tags: list[str]
    run_id: str
    metadata: JSON
    parent_ids: list[str]


class EventsEvent(BaseEvent[ExecutionData], frozen=True):
    """``events``: one LangChain execution event (astream_events v2)."""


class DebugData(TypedDict):
    type: str
    timestamp: str
    step: int
    payload: JSON


class DebugEvent(BaseEvent[DebugData], frozen=True):
    """``debug``: a checkpoint, a task or a task's result."""


class TasksEvent(BaseEvent[JSON], frozen=True):
    """``tasks``: a task's start (id, name, input, triggers) or end (id, name, error, result, interrupts)."""


class CheckpointsEvent(BaseEvent[JSON], frozen=True):
    """``checkpoints``: config, parent_config, values, metadata, next, tasks."""


class CustomEvent(BaseEvent[C], Generic[C], frozen=True):
    """``custom``: the data that a node passed to the stream writer."""


class RunInfo(TypedDict):
    run_id: str
    attempt: int
    tags: list[str]


class MetadataEvent(BaseEvent[RunInfo], frozen=True):
    """``metadata``: the first event of each attempt."""


class ErrorData(TypedDict):
    error: str
    message: str


class ErrorEvent(BaseEvent[ErrorData], frozen=True):
    """``error``: the run failed. An EndEvent follows."""

    @property
    def error(self) -> str:
        """The name of the exception class."""
        return self.data["error"]

    @property
    def message(self) -> str:
        return self.data["message"]


class EndData(TypedDict):
    run_id: str
    status: EndStatus


class EndEvent(BaseEvent[EndData], frozen=True):
    """``end``: the last event of every run."""

    @property
    def status(self) -> EndStatus:
        return self.data["status"]

    @property
    def run_id(self) -> str:
        return self.data["run_id"]


class GapData(TypedDict):
    error: str
    message: str
    first_seq: int


class GapEvent(BaseEvent[GapData], frozen=True):
    """``gap``: events before ``first_seq`` have been deleted from the log, so the stream is incomplete."""


class UnknownEvent(BaseEvent[Any], frozen=True):
    """An event without a class in this client; ``event`` is its name."""


StreamEvent: TypeAlias = (
    ValuesEvent[S]
    | UpdatesEvent[U]
    | MessagesEvent
    | MessagesMetadataEvent
    | MessagesTupleEvent
    | EventsEvent
    | DebugEvent
    | TasksEvent
    | CheckpointsEvent
    | CustomEvent[C]
    | MetadataEvent
    | ErrorEvent
    | EndEvent
    | GapEvent
    | UnknownEvent
)

CLASSES: dict[str, type[BaseEvent[Any]]] = {
    "values": ValuesEvent,
    "updates": UpdatesEvent,
    "messages/partial": MessagesEvent,
    "messages/complete": MessagesEvent,
    "messages/metadata": MessagesMetadataEvent,
    "messages": MessagesTupleEvent,
    "events": EventsEvent,
    "debug": DebugEvent,
    "tasks": TasksEvent,
    "checkpoints": CheckpointsEvent,
    "custom": CustomEvent,
    "metadata": MetadataEvent,
    "error": ErrorEvent,
    "end": EndEvent,
    "gap": GapEvent,
}

_INTERRUPT = "__interrupt__"


class EventDecoder(Generic[S, U, C]):
    """Decodes the frames of one stream to events. Takes the run's tags from its metadata event. Pure."""

    def __init__(self, state_type: Any = None, update_type: Any = None, custom_type: Any = None) -> None:
        self._state: Shape[S] = shape(state_type, partial=True)
        self._update: Shape[U] = shape(update_type, partial=True)
        self._custom: Shape[C] = shape(custom_type)
        self._typed_state = state_type is not None
        self._typed_update = update_type is not None
        self.tags: tuple[str, ...] = ()

    def decode(self, frame: Frame) -> StreamEvent[S, U, C]:
        """Decode a frame. Raises DecodeError, which names the event, if its data is invalid."""
        name, *namespace = frame.event.split("|")
        kind = CLASSES.get(name, UnknownEvent)
        try:
            data, extra = self._data(kind, frame.data)
        except (DecodeError, msgspec.DecodeError) as error:
            raise DecodeError(f"event {frame.event} {frame.id or ''}: {error}", data=frame.data) from error
        return kind(data, name, frame.id, self.tags, tuple(namespace), *extra)  # pyright: ignore[reportReturnType]

    def _data(self, kind: type[BaseEvent[Any]], data: bytes) -> tuple[Any, tuple[Any, ...]]:
        if kind is ValuesEvent:
            return self._values(data)
        if kind is UpdatesEvent:
            return self._updates(data)
        if kind is MetadataEvent:
            return self._metadata(data), ()
        if kind is MessagesTupleEvent:
            return msgspec.json.decode(data, type=tuple[Any, ...]), ()
        return (self._custom if kind is CustomEvent else msgspec.json.decode)(data), ()

    def _values(self, data: bytes) -> tuple[Any, tuple[Any, ...]]:
        if not self._typed_state:
            values = msgspec.json.decode(data)
            return values, (_interrupts(values),)
        if b'"__interrupt__"' not in data:
            return self._state(data), ([],)
        values = msgspec.json.decode(data)
        interrupts = values.pop(_INTERRUPT, []) if isinstance(values, dict) else []
        return self._state(msgspec.json.encode(values)), (interrupts,)

    def _updates(self, data: bytes) -> tuple[Any, tuple[Any, ...]]:
        updates = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        decoded = {node: self._node_update(node, bytes(raw)) for node, raw in updates.items()}
        return decoded, (_interrupts(decoded),)

    def _node_update(self, node: str, data: bytes) -> Any:
        plain = not self._typed_update or node.startswith("__") or data == b"null"
        return msgspec.json.decode(data) if plain else self._update(data)

    def _metadata(self, data: bytes) -> JSON:
        info = msgspec.json.decode(data, type=JSON)
        self.tags = tuple(info.setdefault("tags", list(self.tags)))
        return info


def _interrupts(values: Any) -> list[JSON]:
    found = values.get(_INTERRUPT) if isinstance(values, dict) else None
    return found if isinstance(found, list) else []
