"""The common part of relays over a server: a sending and a listening thread, each with its own reconnecting
connection."""

from __future__ import annotations

import random
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any, ClassVar, Protocol

import msgspec
import structlog

from treadle.backends.live.hints import Hint, HintBuffer
from treadle.backends.live.relay import Subscriber

logger = structlog.get_logger("treadle.relay")

ANSWER_SECONDS = 3.0
"""Time a server may take to respond before its connection counts as lost."""

_TICK_SECONDS = 0.2
_PING_SECONDS = 1.5
_CLOSE_SECONDS = 4.0
_BACKOFF_SECONDS = (0.05, 2.0)
_STEADY_SECONDS = 1.0


class ConnectionLost(Exception):
    """The server did not respond, or not in time."""


class Publisher(Protocol):
    """A connection that sends. Its methods raise the errors of its driver."""

    def publish(self, hints: Sequence[Hint]) -> None:
        """Send hints, and return when the server has them."""
        ...

    def close(self) -> None: ...


class Subscription(Protocol):
    """A connection with a live subscription."""

    def poll(self, seconds: float) -> Sequence[bytes] | None:
        """Wait up to ``seconds`` for messages. Returns None if the server gave no sign of life."""
        ...

    def ping(self) -> None:
        """Request a sign of life, without waiting for it."""
        ...

    def close(self) -> None: ...


class ServerRelay(ABC):
    """A relay over one server (relay.Relay). The subclass defines the encoding; messages start with ``name``."""

    carries_events: ClassVar[bool]
    server: ClassVar[str]

    def __init__(self, decoder: msgspec.json.Decoder[list[Hint]] | msgspec.msgpack.Decoder[list[Hint]]) -> None:
        self.name = secrets.token_hex(8).encode()
        self.can_send = False
        self._decoder = decoder
        self._waiting = HintBuffer()
        self._sending: list[Hint] = []
        self._live = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @abstractmethod
    def _publisher(self) -> Publisher: ...

    @abstractmethod
    def _subscribe(self) -> Subscription: ...

    @property
    def listening(self) -> bool:
        return self._live.is_set()

    def await_listening(self, seconds: float) -> bool:
        return self._live.wait(seconds)

    def start(self, subscriber: Subscriber) -> None:
        if self._threads or self._stopping.is_set():
            return
        for work in (self._speak, self._listen):
            name = f"treadle-{self.server}-{work.__name__[1:]}"
            self._threads.append(threading.Thread(target=work, args=(subscriber,), name=name, daemon=True))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._waiting.close()
        for thread in self._threads:
            thread.join(_CLOSE_SECONDS)

    def send(self, hints: Iterable[Hint]) -> None:
        self._waiting.put(hints)

    # sending

    def _speak(self, subscriber: Subscriber) -> None:
        attempts = _Attempts(f"{self.server} speaks", self._stopping)
        while not self._stopping.is_set():
            try:
                with closing(self._publisher()) as publisher:
                    self.can_send = True
                    attempts.succeeded()
                    self._publish_all(publisher)
            except Exception as error:  # any driver error, at any step: the thread must survive it
                self.can_send = False
                self._divert(subscriber)
                attempts.failed(error)
        self.can_send = False
        self._divert(subscriber)

    def _publish_all(self, publisher: Publisher) -> None:
        while hints := self._waiting.take():
            self._sending = hints
            publisher.publish(hints)
            logger.debug("sent hints", relay=self.server, count=len(hints))
            self._sending = []

    def _divert(self, subscriber: Subscriber) -> None:
        unsent, self._sending = [*self._sending, *self._waiting.drain()], []
        if unsent and not subscriber.on_unsent(unsent):
            self._waiting.put_back(unsent)

    # listening

    def _listen(self, subscriber: Subscriber) -> None:
        attempts = _Attempts(f"{self.server} listens", self._stopping)
        while not self._stopping.is_set():
            try:
                with closing(self._subscribe()) as subscription:
                    self._live.set()
                    attempts.succeeded()
                    self._supervised(subscriber.on_subscribed)
                    self._receive_all(subscription, subscriber)
            except Exception as error:  # as above
                was_live = self._live.is_set()
                self._live.clear()
                self._supervised(subscriber.on_disconnected, was_live)
                attempts.failed(error)
        self._live.clear()

    def _receive_all(self, subscription: Subscription, subscriber: Subscriber) -> None:
        heard_at, asked = time.monotonic(), False
        while not self._stopping.is_set():
            messages = subscription.poll(_TICK_SECONDS)
            silent = time.monotonic() - heard_at
            if messages is not None:
                heard_at, asked = time.monotonic(), False
                self._pass_on(messages, subscriber)
            elif silent > _PING_SECONDS + ANSWER_SECONDS:
                raise ConnectionLost(f"nothing was heard for {silent:.1f} s")
            elif silent > _PING_SECONDS and not asked:
                subscription.ping()
                asked = True

    def _pass_on(self, messages: Sequence[bytes], subscriber: Subscriber) -> None:
        if messages:
            logger.debug("received messages", relay=self.server, count=len(messages))
        for message in messages:
            if not message.startswith(self.name):
                self._supervised(self._decode_for, subscriber, message)

    def _decode_for(self, subscriber: Subscriber, message: bytes) -> None:
        subscriber.on_hints(self._decoder.decode(memoryview(message)[len(self.name) :]))

    def _supervised(self, work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        except (
            Exception
        ) as error:  # one subscription or message failed (perhaps of a newer release); go on with the next
            logger.warning("a message of another process could not be processed", relay=self.server, error=repr(error))


class _Attempts:
    """Logs the first failure after a success, and increases the delay between attempts."""

    def __init__(self, what: str, stopping: threading.Event) -> None:
        self._what = what
        self._stopping = stopping
        self._failures = 0
        self._since = 0.0

    def succeeded(self) -> None:
        if self._failures:
            logger.info("the relay is back", relay=self._what)
        self._since = time.monotonic()

    def failed(self, error: Exception) -> None:
        if self._since and time.monotonic() - self._since > _STEADY_SECONDS:
            self._failures = 0
        if not self._failures:
            logger.warning("the relay lost the connection to its server", relay=self._what, error=str(error))
        self._since = 0.0
        self._stopping.wait(delay(self._failures) * random.uniform(0.5, 1.0))
        self._failures += 1


def delay(failures: int) -> float:
    """The maximum number of seconds before the next attempt."""
    first, most = _BACKOFF_SECONDS
    return min(most, first * 2 ** min(failures, 10))
