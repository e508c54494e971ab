"""Hints through PostgreSQL's LISTEN and NOTIFY. Its payloads are small, so events are announced instead of carried.

Notifications are sent in their own transaction, after the commit. NOTIFY holds a server-wide lock until the end of its
transaction, and this one has nothing to write to disk.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
import psycopg
from psycopg import pq, sql

from treadle.backends.live.hints import Hint, coalesce, concerns_logs, messages, without_events
from treadle.backends.live.relay_link import ANSWER_SECONDS, ConnectionLost, ServerRelay

_PAYLOAD_BYTES = 7900
_CHANNEL_BYTES = 63
_STATEMENT_PAYLOADS = 64

_CONNECT: dict[str, Any] = {
    "autocommit": True,
    "application_name": "treadle relay",
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": int(ANSWER_SECONDS * 1000),
}

_encode = msgspec.json.Encoder().encode


class PostgresRelay(ServerRelay):
    """``url`` must lead to a server, or to a pool that keeps sessions. ``readers``: whether to subscribe to events."""

    server = "postgres"
    carries_events = False

    def __init__(self, url: str, *, namespace: str, readers: bool = True) -> None:
        super().__init__(msgspec.json.Decoder(list[Hint]))
        self._url = url
        self._control, self._logs = channel(namespace, "control"), channel(namespace, "logs")
        self._heard = (self._control, self._logs) if readers else (self._control,)

    def send(self, hints: Iterable[Hint]) -> None:
        super().send(without_events(hints))

    def _publisher(self) -> _Publisher:
        return _Publisher(self._url, self.name, self._control, self._logs)

    def _subscribe(self) -> _Subscription:
        return _Subscription(self._url, self._heard)


def channel(namespace: str, kind: str) -> str:
    """A channel's name; long names are replaced by a digest, because PostgreSQL allows 63 bytes."""
    name = f"treadle:{namespace}:{kind}"
    if len(name.encode()) <= _CHANNEL_BYTES:
        return name
    return "treadle:" + blake2b(name.encode(), digest_size=16).hexdigest()


def payloads(hints: Sequence[Hint], name: bytes) -> list[bytes]:
    """The hints as JSON, after the sender's name."""
    groups = messages(hints, _PAYLOAD_BYTES - len(name), lambda hint: len(_encode(hint)) + 1)
    return [name + _encode(group) for group in groups]


class _Connection:
    """A connection with bounded waits only, because a stopped or disconnected server would never respond."""

    def __init__(self, url: str) -> None:
        self._conn = psycopg.connect(url, **_CONNECT)
        self._pgconn = self._conn.pgconn
        self._readable = select.poll()
        self._readable.register(self._pgconn.socket, select.POLLIN)

    def close(self) -> None:
        self._conn.close()

    def _send(self, command: bytes, parameters: Sequence[bytes] = ()) -> None:
        self._pgconn.send_query_params(command, parameters)
        while self._pgconn.flush():
            self._take_in(0.01)

    def _take_in(self, seconds: float) -> bool:
        """Read the data that the server has sent, waiting up to ``seconds``. Returns whether there was any."""
        if not self._readable.poll(seconds * 1000):
            return False
        self._pgconn.consume_input()
        return True

    def _await_result(self) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS
        while self._pgconn.is_busy():
            if not self._take_in(ANSWER_SECONDS) and time.monotonic() > deadline:
                raise ConnectionLost("the server does not answer")
        self._take_results()

    def _take_results(self) -> None:
        while result := self._pgconn.get_result():
            if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                raise ConnectionLost(result.error_message.decode(errors="replace"))


class _Publisher(_Connection):
    def __init__(self, url: str, name: bytes, control: str, logs: str) -> None:
        super().__init__(url)
        self._name = name
        self._control = control.encode()
        self._logs = logs.encode()

    def publish(self, hints: Sequence[Hint]) -> None:
        told = list(self._payloads_by_channel(coalesce(hints)))
        for start in range(0, len(told), _STATEMENT_PAYLOADS):
            self._notify(told[start : start + _STATEMENT_PAYLOADS])

    def _payloads_by_channel(self, hints: Sequence[Hint]) -> Iterator[tuple[bytes, bytes]]:
        """``(channel, payload)``."""
        for name, of_channel in ((self._control, False), (self._logs, True)):
            for payload in payloads([hint for hint in hints if concerns_logs(hint) is of_channel], self._name):
                yield name, payload

    def _notify(self, told: Sequence[tuple[bytes, bytes]]) -> None:
        calls = ", ".join(f"pg_notify(${2 * n + 1}, ${2 * n + 2})" for n in range(len(told)))
        self._send(f"SELECT {calls}".encode(), [value for pair in told for value in pair])
        self._await_result()


class _Subscription(_Connection):
    def __init__(self, url: str, channels: Sequence[str]) -> None:
        super().__init__(url)
        self._ping_pending = False
        for name in channels:
            self._conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(name)))

    def poll(self, seconds: float) -> Sequence[bytes] | None:
        if not self._take_in(seconds):
            return None
        if self._ping_pending and not self._pgconn.is_busy():
            self._ping_pending = False
            self._take_results()
        return list(self._notified())

    def _notified(self) -> Iterator[bytes]:
        while notice := self._pgconn.notifies():
            yield notice.extra

    def ping(self) -> None:
        self._ping_pending = True
        self._send(b"SELECT")
