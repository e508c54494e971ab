"""Serialise long lists of messages like LangGraph's serialiser, but each unchanged message only once."""

from __future__ import annotations

import threading
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from treadle.message_cache import MessageCache, is_conversation


class _Otherwise(Exception):
    """A message that LangGraph does not serialise as MessagePack."""


class MessageSerializer:
    """Belongs to one saver, and thus to one run."""

    def __init__(self, serde: SerializerProtocol) -> None:
        self._serde = serde
        # Other serialisers may not write a list as the sequence of its elements.
        self._known = type(serde) is JsonPlusSerializer
        self._packed = MessageCache(self._pack)
        self._lock = threading.Lock()  # subgraphs that are not async save on their own threads

    def dumps(self, value: Any) -> tuple[str, bytes] | None:
        """The same bytes as ``dumps_typed(value)``, or None if ``value`` is not a long list of messages."""
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
    """The header of a MessagePack array."""
    if length < 16:
        return bytes([0x90 | length])
    return b"\xdc" + length.to_bytes(2, "big") if length < 2**16 else b"\xdd" + length.to_bytes(4, "big")
