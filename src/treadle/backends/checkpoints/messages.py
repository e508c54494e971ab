"""Long lists of messages as LangGraph's serialiser writes them, each message only once while it stays as it is."""

from __future__ import annotations

import threading
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from treadle.message_cache import MessageCache, is_conversation


class _Otherwise(Exception):
    """A message that is not written as MessagePack."""


class MessageSerializer:
    """Belongs to one saver, so to one run."""

    def __init__(self, serde: SerializerProtocol) -> None:
        self._serde = serde
        # What others make of a list is not known to be what they make of its elements.
        self._known = type(serde) is JsonPlusSerializer
        self._packed = MessageCache(self._pack)
        self._lock = threading.Lock()  # sub-graphs that are not asynchronous save on threads of their own

    def dumps(self, value: Any) -> tuple[str, bytes] | None:
        """``dumps_typed(value)``, to the byte; None for what is no long list of messages."""
        if not self._known or not is_conversation(value):
            return None
        try:
            with self._lock:
                packed = self._packed.all(value)
        except _Otherwise:
            return None
        return "msgpack", _array(len(packed)) + b"".join(packed)

    def _pack(self, message: BaseMessage) -> bytes:
        kind, packed = self._serde.dumps_typed(message)
        if kind != "msgpack":
            raise _Otherwise
        return packed


def _array(length: int) -> bytes:
    """The head of an array in MessagePack."""
    if length < 16:
        return bytes([0x90 | length])
    return b"\xdc" + length.to_bytes(2, "big") if length < 2**16 else b"\xdd" + length.to_bytes(4, "big")
