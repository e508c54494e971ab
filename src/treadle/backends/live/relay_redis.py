"""Hints through Redis pub/sub, including the events, so that readers in other processes need not read the log.

All use of redis-py is in this module. Connections are used without the retries of its pools and clients, which would
hide an interrupted subscription.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from redis import ConnectionPool

from treadle.backends.live.hints import Hint, coalesce, concerns_logs, messages
from treadle.backends.live.relay_link import ANSWER_SECONDS, ConnectionLost, ServerRelay

_MESSAGE_BYTES = 4 * 1024 * 1024

_CONNECT: dict[str, Any] = {
    "protocol": 2,
    "socket_timeout": ANSWER_SECONDS,
    "socket_connect_timeout": ANSWER_SECONDS,
    "socket_keepalive": True,
    "health_check_interval": 0,
    "decode_responses": False,
}

_encode = msgspec.msgpack.Encoder().encode


class RedisRelay(ServerRelay):
    """``readers``: whether to subscribe to events."""

    server = "redis"
    carries_events = True

    def __init__(self, url: str, *, namespace: str, readers: bool = True) -> None:
        super().__init__(msgspec.msgpack.Decoder(list[Hint]))
        self._url = url
        self._control, self._logs = f"treadle:{namespace}:control", f"treadle:{namespace}:logs"
        self._heard = (self._control, self._logs) if readers else (self._control,)

    def _publisher(self) -> _Publisher:
        return _Publisher(self._url, self.name, self._control, self._logs)

    def _subscribe(self) -> _Subscription:
        return _Subscription(self._url, self._heard)


class _Connection:
    def __init__(self, url: str) -> None:
        self._conn: Any = ConnectionPool.from_url(url, **_CONNECT).make_connection()
        self._conn.connect()

    def close(self) -> None:
        self._conn.disconnect()


class _Publisher(_Connection):
    def __init__(self, url: str, name: bytes, control: str, logs: str) -> None:
        super().__init__(url)
        self._name = name
        self._channels = ((control, False), (logs, True))

    def publish(self, hints: Sequence[Hint]) -> None:
        hints = coalesce(hints)
        commands = [
            ("PUBLISH", channel, self._name + _encode(message))
            for channel, of_channel in self._channels
            for message in messages([hint for hint in hints if concerns_logs(hint) is of_channel], _MESSAGE_BYTES)
        ]
        self._conn.send_packed_command(self._conn.pack_commands(commands))
        for _ in commands:
            self._conn.read_response()


class _Subscription(_Connection):
    def __init__(self, url: str, channels: Sequence[str]) -> None:
        super().__init__(url)
        self._conn.send_command("SUBSCRIBE", *channels)
        for _ in channels:
            if self._conn.read_response(disable_decoding=True)[0] != b"subscribe":
                raise ConnectionLost("the subscription was not confirmed")

    def poll(self, seconds: float) -> Sequence[bytes] | None:
        if not self._conn.can_read(timeout=seconds):
            return None
        kind, *rest = self._conn.read_response(disable_decoding=True)
        return (rest[1],) if kind == b"message" else ()

    def ping(self) -> None:
        self._conn.send_command("PING")
