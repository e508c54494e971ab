"""AbortSignal: stop a call from any thread or task."""

from __future__ import annotations

import threading
from collections.abc import Callable


class AbortSignal:
    """Pass it to a call; ``abort()`` stops the call with StreamAborted, and ends a blocked read at once.

    One signal may be passed to many calls, sync and async. It cannot be reset. ``on_disconnect`` decides whether the
    run stops too.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        # Reentrant: a signal handler may call abort() while it interrupts subscribe() in the same thread.
        self._lock = threading.RLock()
        self._listeners: dict[object, Callable[[], None]] = {}

    @property
    def aborted(self) -> bool:
        return self._event.is_set()

    def abort(self) -> None:
        """Stop every call that has this signal. May be called from any thread, and more than once."""
        with self._lock:
            self._event.set()
            listeners = list(self._listeners.values())
            self._listeners.clear()
        for listener in listeners:
            listener()

    def wait(self, timeout: float | None = None) -> bool:
        """Block this thread until the abort, up to ``timeout`` seconds. Returns ``aborted``."""
        return self._event.wait(timeout)

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` once, in the aborting thread, or at once if already aborted. Returns the unsubscribe
        function."""
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
