"""The hub of one process in a cluster: it publishes to the hubs of the other processes too.

A relay carries hints, and losing one only costs latency. While its subscription is live, hints arrive, and a lost one
is noticed as a gap or by polling. Whenever the subscription was interrupted, readers go back to the log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from treadle.backends import chunks
from treadle.backends.live.hints import (
    Appended,
    Cancel,
    DeliveryDue,
    Hint,
    HintsDropped,
    PrimaryLost,
    QueueChanged,
    RunAt,
    RunRemoved,
    ThreadAt,
    ThreadTrimmed,
)
from treadle.backends.live.hub import Hub
from treadle.model import CancelAction
from treadle.ports.log import Chunk

_UNHELD = 4096
"""Number of runs whose first events are remembered to have passed without a tail."""

_DEAF_SECONDS = 10.0


class Subscriber(Protocol):
    """The receiver of a relay's messages. Called on the relay's threads."""

    def on_hints(self, hints: Sequence[Hint]) -> None:
        """Another process sent these hints."""
        ...

    def on_subscribed(self) -> None:
        """The subscription is live from now on. Earlier hints may have been lost."""
        ...

    def on_disconnected(self, was_live: bool) -> None:
        """The subscription has ended (``was_live``), or could not be restored."""
        ...

    def on_unsent(self, hints: Sequence[Hint]) -> bool:
        """These hints could not be sent. Return True if they were sent in another way; otherwise the relay retries."""
        ...


class Relay(Protocol):
    """The connection to the other processes. ``start`` and ``close`` are idempotent.

    ``close`` sends the waiting hints, within a bounded time.
    """

    @property
    def listening(self) -> bool:
        """Whether its subscription is live."""
        ...

    @property
    def can_send(self) -> bool:
        """Whether sending is believed to work."""
        ...

    @property
    def carries_events(self) -> bool:
        """Whether it can carry the events of ``Appended``."""
        ...

    def start(self, subscriber: Subscriber) -> None: ...
    def close(self) -> None: ...

    def await_listening(self, seconds: float) -> bool:
        """Wait for the subscription. Returns whether it is live."""
        ...

    def send(self, hints: Iterable[Hint]) -> None:
        """Send hints. Never blocks and never raises; hints that cannot be sent are eventually dropped."""
        ...


class ClusterHub(Hub):
    """A hub that exchanges hints with the other processes. Counts only the commits of this process."""

    def __init__(self, relay: Relay, **tail: Any) -> None:
        super().__init__(**tail)
        self._relay = relay
        self._unheld: dict[str, None] = {}
        self._unheld_lock = threading.Lock()

    def start(self) -> None:
        self._relay.start(self)

    def close(self) -> None:
        self._relay.close()

    # publishing to other processes

    def delivery_due(self) -> None:
        super().delivery_due()
        self._relay.send((DeliveryDue(),))

    def queue_changed(self) -> None:
        super().queue_changed()
        self._relay.send((QueueChanged(),))

    def cancel_marked(self, run_id: str, action: CancelAction) -> None:
        super().cancel_marked(run_id, action)
        self._relay.send((Cancel(run_id, action),))

    def created(self, run_id: str) -> None:
        """Keep the tail only if nothing can have been missed, since another process may already have started the
        run."""
        super().created(run_id)
        if not self._relay.listening or run_id in self._unheld:
            self._unhold(run_id)

    def published(self, run_id: str, chunk: Chunk) -> None:
        super().published(run_id, chunk)
        self._send_appended(run_id, chunk.first, "", 0, chunk)

    def published_in_thread(self, thread_id: str, chunk: Chunk) -> None:
        super().published_in_thread(thread_id, chunk)
        self._send_appended("", 0, thread_id, chunk.first, chunk)

    def appended(self, run_id: str, thread_id: str, chunk: Chunk, thread_first: int, blob: bytes = b"") -> None:
        super().published(run_id, chunk)
        super().published_in_thread(thread_id, Chunk(thread_first, chunk.events))
        self._send_appended(run_id, chunk.first, thread_id, thread_first, chunk, blob)

    def gone(self, run_id: str) -> None:
        super().gone(run_id)
        self._relay.send((RunRemoved(run_id),))

    def thread_cut(self, thread_id: str, *, whole: bool = False) -> None:
        super().thread_cut(thread_id, whole=whole)
        self._relay.send((ThreadTrimmed(thread_id, whole),))

    def _send_appended(
        self, run_id: str, first: int, thread_id: str, thread_first: int, chunk: Chunk, blob: bytes = b""
    ) -> None:
        if self._relay.carries_events and not blob:
            blob = chunks.encode(chunk.events)
        self._relay.send((Appended(run_id, first, thread_id, thread_first, len(chunk.events), blob),))

    # hints from other processes (Subscriber)

    def on_hints(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            self._receive(hint)

    def _receive(self, hint: Hint) -> None:
        match hint:
            case Appended():
                self._receive_events(hint)
            case RunAt(run_id, last):
                self._receive_run_at(run_id, last)
            case ThreadAt(thread_id, last):
                if tail := self._threads.get(thread_id):
                    tail.announce(last)
            case RunRemoved(run_id):
                super().gone(run_id)
            case ThreadTrimmed(thread_id, whole):
                super().thread_cut(thread_id, whole=whole)
            case Cancel(run_id, action):
                super().cancel_marked(run_id, action)
            case QueueChanged():
                super().queue_changed()
            case DeliveryDue():
                super().delivery_due()
            case HintsDropped():
                self.on_subscribed()
            case PrimaryLost():
                pass

    def _receive_events(self, hint: Appended) -> None:
        run = bool(hint.run_id) and self._wanted(hint.run_id, hint.first == 1)
        thread = self._threads.get(hint.thread_id)
        if run or thread:
            chunk = chunks.decode(hint.first, hint.blob)
            if run:
                self._push(hint.run_id, chunk)
            if thread:
                thread.push(Chunk(hint.thread_first, chunk.events))

    def _receive_run_at(self, run_id: str, last: int) -> None:
        if self._wanted(run_id, True) and (tail := self._tails.get(run_id)):
            tail.announce(last)
            if run_id in self._held:  # do not keep the tail: its reader has to read the log
                self._let_go(run_id)

    def on_subscribed(self) -> None:
        self.resync()
        super().queue_changed()
        super().delivery_due()

    def on_disconnected(self, was_live: bool) -> None:
        """Readers wait for the relay to return, because the database may be unreachable for the same reason."""

    def on_unsent(self, hints: Sequence[Hint]) -> bool:
        return False

    # runs with missed first events

    def _wanted(self, run_id: str, begins: bool) -> bool:
        """Whether the run has a tail.

        If a run begins without one, note that before checking again. ``created`` checks the note after creating the
        tail, so one of the two threads always sees the other.
        """
        if run_id not in self._tails and begins:
            self._note_unheld(run_id)
        return run_id in self._tails

    def _note_unheld(self, run_id: str) -> None:
        with self._unheld_lock:
            self._unheld[run_id] = None
            if len(self._unheld) > _UNHELD:
                del self._unheld[next(iter(self._unheld))]

    def _unhold(self, run_id: str) -> None:
        if tail := self._tails.get(run_id):
            tail.clear(new_generation=False)
        self._let_go(run_id)


class FallbackRelay:
    """Sends through the ``primary`` relay, or the ``secondary`` while that fails. Every process always listens to both.

    A process that does not receive from the primary says so on the secondary; for some seconds, the others then use
    both.
    """

    def __init__(self, primary: Relay, secondary: Relay, *, time: Callable[[], float] = time.monotonic) -> None:
        self._primary = primary
        self._secondary = secondary
        self._time = time
        self._deaf_until = 0.0

    @property
    def listening(self) -> bool:
        return self._primary.listening or self._secondary.listening

    @property
    def can_send(self) -> bool:
        return self._primary.can_send or self._secondary.can_send

    @property
    def carries_events(self) -> bool:
        return self._primary.carries_events

    def start(self, subscriber: Subscriber) -> None:
        self._secondary.start(_SecondarySubscriber(subscriber, self._use_both))
        self._primary.start(_PrimarySubscriber(subscriber, self._secondary))

    def close(self) -> None:
        self._primary.close()
        self._secondary.close()

    def await_listening(self, seconds: float) -> bool:
        return self._primary.await_listening(seconds) or self._secondary.await_listening(0)

    def send(self, hints: Iterable[Hint]) -> None:
        hints = tuple(hints)
        by_primary = self._primary.can_send
        if by_primary:
            self._primary.send(hints)
        if not by_primary or self._time() < self._deaf_until:
            self._secondary.send(hints)

    def _use_both(self) -> None:
        self._deaf_until = self._time() + _DEAF_SECONDS


class _PrimarySubscriber:
    """Receives from the primary, and sends through the secondary the hints that the primary could not send."""

    def __init__(self, subscriber: Subscriber, secondary: Relay) -> None:
        self._subscriber = subscriber
        self._secondary = secondary
        self.on_hints = subscriber.on_hints
        self.on_subscribed = subscriber.on_subscribed

    def on_disconnected(self, was_live: bool) -> None:
        self._secondary.send((PrimaryLost(),))
        if was_live:
            self._subscriber.on_subscribed()

    def on_unsent(self, hints: Sequence[Hint]) -> bool:
        self._secondary.send(hints)
        return True


class _SecondarySubscriber:
    def __init__(self, subscriber: Subscriber, someone_is_deaf: Callable[[], None]) -> None:
        self._subscriber = subscriber
        self._someone_is_deaf = someone_is_deaf
        self.on_subscribed = subscriber.on_subscribed
        self.on_disconnected = subscriber.on_disconnected
        self.on_unsent = subscriber.on_unsent

    def on_hints(self, hints: Sequence[Hint]) -> None:
        if PrimaryLost() in hints:
            self._someone_is_deaf()
        self._subscriber.on_hints(hints)
