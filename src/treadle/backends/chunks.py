"""The stored form of a chunk of events: one MessagePack blob per commit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from treadle.model import Event
from treadle.ports.log import Chunk

_decoder = msgspec.msgpack.Decoder(list[Event])
_encoder = msgspec.msgpack.Encoder()


def encode(events: Sequence[Event]) -> bytes:
    return _encoder.encode(list(events))


def decode(first: int, blob: bytes) -> Chunk:
    """The chunk in ``blob``; ``first`` is the seq of its first event."""
    return Chunk(first, _decoder.decode(blob))
