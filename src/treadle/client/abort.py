"""AbortSignal: stops a reading from any thread or task."""

from __future__ import annotations

import threading
from collections.abc import Callable


class AbortSignal:
    """Given to a call, stops it with StreamAborted once ``abort()`` was called; the blocked read ends at once.

    One signal may serve many calls, sync and async. It cannot be taken back. Whether the run stops is
    ``on_disconnect``'s business.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        # Reentrant: abort() may be called by a signal handler that interrupts subscribe() in the same thread.
        self._lock = threading.RLock()
        self._listeners: dict[object, Callable[[], None]] = {}

    @property
    def aborted(self) -> bool:
        return self._event.is_set()

    def abort(self) -> None:
        """Stops every call that has this signal. From any thread; the second time does nothing."""
        with self._lock:
            self._event.set()
            listeners = list(self._listeners.values())
            self._listeners.clear()
        for listener in listeners:
            listener()

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks this thread until the abort, up to ``timeout`` seconds. Returns ``aborted``."""
        return self._event.wait(timeout)

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls ``listener`` once, in the aborting thread (at once if it was aborted). Returns the unsubscribe."""
        token = object()
        with self._lock:
            aborted = self.aborted
            if not aborted:
                self._listeners[token] = listener
        if aborted:
            listener()
        return lambda: self._forget(token)

    def _forget(self, token: object) -> None:
        with self._lock:
            self._listeners.pop(token, None)
