"""The hub of one process among many: what it publishes reaches the others' hubs too.

A relay carries hints; losing any costs latency only. While its subscription is live, what others publish arrives here,
or its absence is noticed as a gap or by the poll; whenever it was not live, readers go to the log.
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
"""Of how many runs it is remembered that their first events went by before anybody wanted them."""

_DEAF_SECONDS = 10.0


class Subscriber(Protocol):
    """Whoever a relay works for. Called on the relay's threads."""

    def on_hints(self, hints: Sequence[Hint]) -> None:
        """Another process said this."""
        ...

    def on_subscribed(self) -> None:
        """What was said up to now may have been lost; from now on the subscription is live."""
        ...

    def on_disconnected(self, was_live: bool) -> None:
        """The subscription has ended (``was_live``), or could not be made again."""
        ...

    def on_unsent(self, hints: Sequence[Hint]) -> bool:
        """These could not be sent. Whether they are taken care of; if not, the relay tries again."""
        ...


class Relay(Protocol):
    """The way to the other processes. ``start`` and ``close`` are idempotent; ``close`` sends what waits, in bounded
    time."""

    @property
    def listening(self) -> bool:
        """Whether its subscription is live."""
        ...

    @property
    def can_send(self) -> bool:
        """Whether what is sent goes out, as far as it is known."""
        ...

    @property
    def carries_events(self) -> bool:
        """Whether it has a use for ``Appended`` with its events."""
        ...

    def start(self, subscriber: Subscriber) -> None: ...
    def close(self) -> None: ...

    def await_listening(self, seconds: float) -> bool:
        """Waits for the subscription; whether it is live."""
        ...

    def send(self, hints: Iterable[Hint]) -> None:
        """Never blocks and never raises: what cannot be sent is lost in the end."""
        ...


class ClusterHub(Hub):
    """A hub whose hints reach the other processes, and that hears theirs. Counts only what this process did."""

    def __init__(self, relay: Relay, **tail: Any) -> None:
        super().__init__(**tail)
        self._relay = relay
        self._unheld: dict[str, None] = {}
        self._unheld_lock = threading.Lock()

    def start(self) -> None:
        self._relay.start(self)

    def close(self) -> None:
        self._relay.close()

    # what this process publishes

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
        """Holds the tail only if nothing can have been missed: another process may have begun the run already."""
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

    # what the others publish (Subscriber)

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
            if run_id in self._held:  # nothing to hold: its reader has to read the log
                self._let_go(run_id)

    def on_subscribed(self) -> None:
        self.resync()
        super().queue_changed()
        super().delivery_due()

    def on_disconnected(self, was_live: bool) -> None:
        """Readers look again once the relay is back: the log may be as far away as the relay now."""

    def on_unsent(self, hints: Sequence[Hint]) -> bool:
        return False

    # runs whose beginning went by

    def _wanted(self, run_id: str, begins: bool) -> bool:
        """Whether the run has a tail. If it begins without one, that is noted before it is looked for again, as
        ``created`` looks at the note after it has made the tail: one of the two sees the other."""
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
    """The ``primary`` carries all; while it cannot, the ``secondary`` does, to which all listen all the time.

    A process that cannot hear the primary says so by the secondary; for some seconds the others then use both."""

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
    """Hears the primary, and sends by the secondary what that one could not."""

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
