"""The ids that the server generates: UUIDv7 for records, UUIDv5 for the default assistant of each graph."""

from __future__ import annotations

import os
import uuid


def uuid7(now: int) -> str:
    """A UUIDv7 for ``now`` (unix microseconds): 48 bits of milliseconds, 12 bits of the fraction, 62 random bits."""
    milliseconds, fraction = divmod(now, 1000)
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    value = milliseconds << 80 | 0x7 << 76 | (fraction * 4096 // 1000) << 64 | 0b10 << 62 | random
    return str(uuid.UUID(int=value))


SYSTEM_NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


def system_id(graph_id: str) -> str:
    """The id of a graph's default assistant. It is derived from the name, so that every process agrees on it."""
    return str(uuid.uuid5(SYSTEM_NAMESPACE, graph_id))
