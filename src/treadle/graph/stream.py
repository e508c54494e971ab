"""Drive one run of a graph: take the request, yield wire parts, and report the result (docs/http.md)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, cast
from uuid import UUID

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.errors import ParentCommand
from langgraph.store.base import BaseStore
from langgraph.types import Command, Interrupt, Send, StateSnapshot
from pydantic import BaseModel

from treadle.graph.encode import Encoder
from treadle.graph.internals import INTERRUPT, AnyGraph, Saver, bind_storage
from treadle.graph.snapshots import snapshot_of
from treadle.graph.translate import Namespace, Part, Translator
from treadle.model import JSON, Durability, SendRequest, StreamMode
from treadle.model import Command as CommandRequest

Chunk = tuple[Namespace, str, Any]

_WATCHED = ("values", "updates")
"""Requested from LangGraph for every run: the result is derived from them, so that success needs no read of the state.
"""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The work of one attempt of a run.

    ``config`` is a complete RunnableConfig: ``configurable`` with thread_id, run_id and the checkpoint to fork from,
    metadata, tags, recursion_limit. With ``resume``, the attempt continues from the last checkpoint of the thread
    instead of applying ``input``, ``command`` and the fork again.
    """

    config: RunnableConfig
    input: Any = None
    command: CommandRequest | None = None
    context: JSON | None = None
    modes: Sequence[StreamMode] = ("values",)
    subgraphs: bool = False
    durability: Durability = "async"
    interrupt_before: Literal["*"] | list[str] | None = None
    interrupt_after: Literal["*"] | list[str] | None = None
    resume: bool = False
    strict_resume: bool = False


@dataclass
class GraphResult:
    """The result of a run, complete once ``stream`` is exhausted.

    ``values`` is the root's final state as JSON, without ``__interrupt__``, or None if the thread has no state.
    ``interrupted`` means that the thread needs input, or stopped at a breakpoint. ``interrupts`` is ``{task id: [{id,
    value}]}``, ``wait_interrupts`` is ``[{value, id, response_schema}]``.
    """

    values: bytes | None = None
    interrupted: bool = False
    interrupts: dict[str, list[JSON]] = field(default_factory=dict[str, list[JSON]])
    wait_interrupts: list[JSON] = field(default_factory=list[JSON])

    def body(self) -> bytes:
        """The body of ``wait`` and ``join``: the state, with ``__interrupt__`` if the run needs input."""
        if not self.wait_interrupts:
            return self.values if self.values is not None else b"null"
        waiting = b'"%b":%b}' % (INTERRUPT.encode(), orjson.dumps(self.wait_interrupts))
        state = self.values if self.values is not None and self.values.startswith(b'{"') else b"{}"
        return (b"{" if state == b"{}" else state[:-1] + b",") + waiting


async def stream(
    graph: AnyGraph, invocation: Invocation, *, saver: Saver, store: BaseStore | None, result: GraphResult
) -> AsyncGenerator[list[Part]]:
    """Run ``graph`` and yield the parts of each chunk as it arrives. ``result`` is complete once this is exhausted.

    Raises the errors of the graph. Cancelling the task, or closing this iterator, stops the graph.
    """
    encoder = Encoder()
    translator = Translator(invocation.modes, invocation.subgraphs, encoder)
    config = _config(graph, invocation, saver, store)
    watch = _Watch()
    async with aclosing(_chunks(graph, invocation, config, translator.langgraph_modes)) as chunks:
        try:
            async for ns, mode, data in chunks:
                parts = translator.translate(ns, mode, data)
                if mode in _WATCHED and not ns:
                    watch.see(mode, data, parts)
                if parts:
                    yield parts
        except ParentCommand as handed:  # the graph is a node of a remote graph, whose RemoteGraph handles the command
            yield [("command", "", encoder.encode(_for_the_parent(handed.args[0])))]
            raise
    if watch.settled:
        result.values = watch.encoded if watch.encoded is not None else encoder.encode_state(watch.values)
    else:
        snapshot = await snapshot_of(graph, _latest(config), saver, store)
        _conclude(result, snapshot, encoder, watch)


async def settle_state(graph: AnyGraph, config: RunnableConfig, saver: Saver, store: BaseStore | None) -> GraphResult:
    """The result of a cancelled or failed run, read from the last checkpoint of its thread."""
    result = GraphResult()
    snapshot = await snapshot_of(graph, _latest(config), saver, store)
    _conclude(result, snapshot, Encoder(), _Watch())
    return result


class _Watch:
    """Collect the values for the result from the root's chunks. ``values`` is the last state without interrupts."""

    def __init__(self) -> None:
        self.values: Any = None
        self.encoded: bytes | None = None
        self.seen = False
        self.interrupted = False

    @property
    def settled(self) -> bool:
        return self.seen and not self.interrupted

    def see(self, mode: str, data: Any, parts: Sequence[Part]) -> None:
        interrupts = isinstance(data, dict) and INTERRUPT in data
        self.interrupted = self.interrupted or interrupts
        if mode == "updates":
            return
        self.encoded = None if interrupts else (parts[0][2] if parts else None)
        self.values = {key: data[key] for key in data if key != INTERRUPT} if interrupts else data
        self.seen = self.seen or not interrupts or bool(self.values)


def _conclude(result: GraphResult, snapshot: StateSnapshot, encoder: Encoder, watch: _Watch) -> None:
    values = watch.values if watch.seen else snapshot.values
    if watch.seen or snapshot.created_at is not None:
        result.values = encoder.encode_state(values)
    result.interrupted = bool(snapshot.next)
    result.interrupts = {
        task.id: [interrupt_of(each, encoder) for each in task.interrupts] for task in snapshot.tasks if task.interrupts
    }
    result.wait_interrupts = [encoder.plain(each) for task in snapshot.tasks for each in task.interrupts]


def interrupt_of(interrupt: Interrupt[Any], encoder: Encoder) -> JSON:
    """``{id, value}``: an interrupt as threads and states show it."""
    return {"id": interrupt.id, "value": encoder.plain(interrupt.value)}


def _config(graph: AnyGraph, invocation: Invocation, saver: Saver, store: BaseStore | None) -> RunnableConfig:
    """The config of the run, with its own id, the name of its graph, and our saver and store."""
    strict = invocation.strict_resume and not invocation.resume  # see Invocation
    config = bind_storage(invocation.config, saver=saver, store=store, strict_resume=strict)
    configurable = config.get("configurable", {})
    if invocation.resume:
        for key in ("checkpoint_id", "checkpoint_map"):
            configurable.pop(key, None)
    if run_id := configurable.get("run_id"):
        config["run_id"] = UUID(str(run_id))
    if graph.name == "LangGraph" and "graph_id" in configurable:
        config["run_name"] = str(configurable["graph_id"])
    return config


def _latest(config: RunnableConfig) -> RunnableConfig:
    thread_id = config.get("configurable", {})["thread_id"]
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}


def _chunks(graph: AnyGraph, invocation: Invocation, config: RunnableConfig, modes: list[str]) -> AsyncGenerator[Chunk]:
    asked: dict[str, Any] = {
        "context": coerce_context(graph.context_schema, invocation.context),
        "stream_mode": [*modes, *(mode for mode in _WATCHED if mode not in modes)],
        "interrupt_before": invocation.interrupt_before,
        "interrupt_after": invocation.interrupt_after,
        "durability": invocation.durability,
        "subgraphs": invocation.subgraphs,
    }
    run = _event_chunks if "events" in invocation.modes else _plain_chunks
    return run(graph, _input(invocation), config, asked)


async def _plain_chunks(
    graph: AnyGraph, input: Any, config: RunnableConfig, asked: dict[str, Any]
) -> AsyncGenerator[Chunk]:
    subgraphs = bool(asked["subgraphs"])
    async with aclosing(cast("Any", graph.astream(input, config, **asked))) as chunks:
        async for chunk in chunks:
            yield chunk if subgraphs else ((), *chunk)


async def _event_chunks(
    graph: AnyGraph, input: Any, config: RunnableConfig, asked: dict[str, Any]
) -> AsyncGenerator[Chunk]:
    """Every event. The other modes are extracted from the root's own events."""
    subgraphs = bool(asked["subgraphs"])
    root: str | None = None
    async with aclosing(cast("Any", graph.astream_events(input, config, version="v2", **asked))) as events:
        async for event in events:
            root = root or event["run_id"]
            if event["event"] == "on_chain_stream" and event["run_id"] == root:
                chunk = event["data"]["chunk"]
                yield chunk if subgraphs else ((), *chunk)
            else:
                yield (), "events", event


def _input(invocation: Invocation) -> Any:
    command = invocation.command
    if invocation.resume:
        # LangGraph saves a plain resume value with the thread, but not a map of them: open interrupts need it again.
        return Command(resume=command.resume) if command and _is_answer_map(command.resume) else None
    if command is None or (command.resume is None and not command.update and not command.goto):
        return invocation.input
    return command_of(command)


def command_of(command: CommandRequest) -> Command[Any]:
    """Convert the command of a request to LangGraph's."""
    return Command(update=_update(command.update), resume=command.resume, goto=_goto(command.goto))


def _for_the_parent(command: Command[Any]) -> JSON:
    """The ``data`` of a ``command`` event, as langgraph.pregel.remote expects it."""
    return {"graph": Command.PARENT, "update": command.update, "resume": command.resume, "goto": command.goto}


def _is_answer_map(resume: Any) -> bool:
    ids = cast("JSON", resume) if isinstance(resume, dict) else {}
    return bool(ids) and all(len(key) == 32 and set(key) <= set("0123456789abcdef") for key in ids)


def _update(update: Any) -> Any:
    return [(key, value) for key, value in update] if isinstance(update, list) else update


def _goto(goto: str | SendRequest | list[str | SendRequest] | None) -> Any:
    targets = goto if isinstance(goto, list) else [] if goto is None else [goto]
    return [target if isinstance(target, str) else Send(target.node, target.input) for target in targets]


def coerce_context(schema: Any, context: Mapping[str, Any] | None, *, make: bool = False) -> Any:
    """``context`` in the form that a context schema takes: a dataclass gets only the keys that it knows.

    LangGraph builds the object from the returned dict; with ``make``, it is built here.
    """
    if not isinstance(schema, type) or not (is_dataclass(schema) or issubclass(schema, BaseModel)):
        return dict(context) if context else None
    if is_dataclass(schema):
        known = {each.name for each in fields(schema) if each.init}
        context = {key: value for key, value in (context or {}).items() if key in known}
    if not context and not _has_defaults(schema):
        return None
    return cast("Any", schema)(**(context or {})) if make else dict(context or {})


def _has_defaults(schema: Any) -> bool:
    """Whether ``schema`` has defaults for all fields, so that a run without a context still gets one."""
    try:
        schema()
    except (TypeError, ValueError):  # pydantic's ValidationError is a ValueError
        return False
    return True
