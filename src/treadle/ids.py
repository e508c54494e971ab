"""Ids that the server makes: uuid7, so that they sort by time."""

from __future__ import annotations

import os
import uuid


def uuid7(now: int) -> str:
    """A uuid7 for ``now`` (unix microseconds): 48 bits of milliseconds, 12 of the fraction, 62 random."""
    milliseconds, fraction = divmod(now, 1000)
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    value = milliseconds << 80 | 0x7 << 76 | (fraction * 4096 // 1000) << 64 | 0b10 << 62 | random
    return str(uuid.UUID(int=value))


SYSTEM_NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


def system_id(graph_id: str) -> str:
    """The id of the assistant that every graph has."""
    return str(uuid.uuid5(SYSTEM_NAMESPACE, graph_id))
