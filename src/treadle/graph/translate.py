"""Translate LangGraph's chunks to wire parts (docs/http.md). Pure, except for state that stream modes accumulate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from langchain_core.messages import BaseMessage, BaseMessageChunk, message_chunk_to_message

from treadle.graph.encode import Encoder
from treadle.model import StreamMode

Part: TypeAlias = tuple[str, str, bytes]
"""``(event name without namespace, subgraph path joined by "|", JSON)``."""

Namespace: TypeAlias = tuple[str, ...]


class Translator:
    """Translates the chunks of one run for the requested stream modes.

    Pass ``langgraph_modes`` to ``astream``. They include neither ``events``, which comes from ``astream_events``, nor
    ``metadata``, which the server produces.
    """

    def __init__(self, modes: Sequence[StreamMode], subgraphs: bool, encoder: Encoder) -> None:
        self._encoder = encoder
        self._subgraphs = subgraphs
        self._partials: dict[str, BaseMessageChunk] = {}
        self._announced: set[str] = set()
        self._streamed: set[str] = set()
        self._handlers = self._choose(modes)
        self.langgraph_modes: list[str] = [mode for mode in self._handlers if mode != "events"]

    def translate(self, ns: Namespace, mode: str, data: Any) -> list[Part]:
        """The parts of one chunk; empty if its mode was not requested."""
        handler = self._handlers.get(mode)
        return handler(ns, data) if handler is not None else []

    def _choose(self, modes: Sequence[StreamMode]) -> dict[str, Callable[[Namespace, Any], list[Part]]]:
        chosen: dict[str, Callable[[Namespace, Any], list[Part]]] = {}
        for mode in modes:
            if mode in ("values", "updates", "tasks", "checkpoints", "custom"):
                chosen[mode] = self._as_it_is(mode)
        if "debug" in modes:
            chosen["debug"] = self._debug
        if "events" in modes:
            chosen["events"] = self._event
        if "messages-tuple" in modes:
            chosen["messages"] = self._message_tuple
        elif "messages" in modes:
            chosen["messages"] = self._message
        return chosen

    def _as_it_is(self, mode: str) -> Callable[[Namespace, Any], list[Part]]:
        encode = self._encoder.encode if mode == "custom" else self._encoder.encode_state

        def handler(ns: Namespace, data: Any) -> list[Part]:
            return [(mode, "|".join(ns), encode(data))]

        return handler

    def _debug(self, ns: Namespace, data: Any) -> list[Part]:
        if data["type"] == "checkpoint":
            data = {**data, "payload": _with_checkpoints(data["payload"])}
        return [("debug", "|".join(ns), self._encoder.encode_state(data))]

    def _event(self, ns: Namespace, data: Any) -> list[Part]:
        return [("events", "", self._encoder.encode(data))]

    def _message_tuple(self, ns: Namespace, data: tuple[BaseMessage, dict[str, Any]]) -> list[Part]:
        return [("messages", "|".join(ns), self._encoder.encode(data))]

    def _message(self, ns: Namespace, data: tuple[BaseMessage, dict[str, Any]]) -> list[Part]:
        message, metadata = data
        parts = self._announce(message, metadata)
        if isinstance(message, BaseMessageChunk):
            whole = message_chunk_to_message(self._accumulate(message))
            parts.append(("messages/partial", "", self._encoder.encode([whole])))
        elif message.id not in self._streamed:
            parts.append(("messages/complete", "", self._encoder.encode([message])))
        return parts

    def _announce(self, message: BaseMessage, metadata: dict[str, Any]) -> list[Part]:
        key = str(message.id)
        if key in self._announced:
            return []
        self._announced.add(key)
        return [("messages/metadata", "", self._encoder.encode({key: {"metadata": metadata}}))]

    def _accumulate(self, chunk: BaseMessageChunk) -> BaseMessageChunk:
        key = str(chunk.id)
        self._streamed.add(key)
        before = self._partials.get(key)
        whole = chunk if before is None else before + chunk
        if getattr(chunk, "chunk_position", None) == "last":
            self._partials.pop(key, None)
        else:
            self._partials[key] = whole
        return whole


def checkpoint_of(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The ``checkpoint`` object of the wire format for LangGraph's ``{"configurable": …}``."""
    if config is None:
        return None
    configurable = config.get("configurable", {})
    keys = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")
    return {key: configurable[key] for key in keys if key in configurable}


def _with_checkpoints(payload: dict[str, Any]) -> dict[str, Any]:
    return {
        **payload,
        "tasks": [_with_checkpoint(task) for task in payload["tasks"]],
        "checkpoint": checkpoint_of(payload["config"]),
        "parent_checkpoint": checkpoint_of(payload["parent_config"]),
    }


def _with_checkpoint(task: dict[str, Any]) -> dict[str, Any]:
    state = task.get("state")
    if not state or "configurable" not in state:
        return task
    rest = {key: value for key, value in task.items() if key != "state"}
    return {**rest, "checkpoint": checkpoint_of(state)}
