"""Every error treadle raises, on the server and in the client: one tree, one class per kind.

    TreadleError
    ├── APIError                    has an HTTP status: the server answers with it, the client raises it
    │   ├── BadRequestError         400
    │   ├── AuthenticationError     401
    │   ├── PermissionDeniedError   403
    │   ├── NotFoundError           404
    │   ├── ConflictError           409
    │   ├── TooLargeError           413
    │   ├── UnprocessableError      422  names the field and what is allowed
    │   ├── RateLimitError          429
    │   └── ServerError             5xx
    │       └── UnavailableError    503  the server is draining
    │           └── DatabaseUnavailable  it cannot be reached or written now; trying again may well help
    ├── ConnectionFailed            no server there, or the connection broke and the retries ran out
    ├── StreamTruncated             a stream ended before its terminal event (a ConnectionFailed)
    ├── StreamAborted               the caller's AbortSignal stopped the reading
    ├── RunFailed                   the run ended in status error or timeout
    ├── RunTimeoutError             waiting took longer than asked (a TimeoutError too); the run goes on
    ├── DecodeError                 what arrived does not fit the type asked for
    ├── LeaseLost                   a write by an attempt that no longer holds its run; never leaves the server
    └── ConfigError                 langgraph.json or a setting is wrong: file, key, what is allowed

The wire shape of an error is ``{"detail": str, "code": str, …data}`` (wire.md, Rules).
"""

from __future__ import annotations

from typing import Any, ClassVar


class TreadleError(Exception):
    """The root of the tree. ``detail`` is the message for people."""

    detail: str

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class APIError(TreadleError):
    """An error with an HTTP status. ``data`` goes into the JSON body beside ``detail`` and ``code``.

    In the client ``request`` is ``"METHOD url"`` and ``run_id`` the run concerned, where there is one.
    """

    status: int = 500
    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        request: str | None = None,
        run_id: str | None = None,
        **data: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status if status is not None else type(self).status
        self.request = request
        self.run_id = run_id
        self.data = data

    def body(self) -> dict[str, Any]:
        """The JSON object that is sent for this error."""
        return {"detail": self.detail, "code": self.code, **self.data}


class BadRequestError(APIError):
    status = 400
    code = "bad_request"


class AuthenticationError(APIError):
    status = 401
    code = "unauthenticated"


class PermissionDeniedError(APIError):
    status = 403
    code = "forbidden"


class NotFoundError(APIError):
    status = 404
    code = "not_found"


class ConflictError(APIError):
    status = 409
    code = "conflict"


class TooLargeError(APIError):
    status = 413
    code = "too_large"


class UnprocessableError(APIError):
    """422. ``field`` is the path of the bad field (``config.recursion_limit``), in the data and in the text."""

    status = 422
    code = "unprocessable"


class RateLimitError(APIError):
    """429. ``retry_after`` in the data is in how many seconds it is worth coming back; so says the header."""

    status = 429
    code = "rate_limited"


class ServerError(APIError):
    status = 500
    code = "internal_error"


class UnavailableError(ServerError):
    status = 503
    code = "unavailable"


class DatabaseUnavailable(UnavailableError):
    """The database cannot be reached, or its disk cannot be written, now. A run does not fail of it: it waits, or is
    handed back and goes on when the database does."""


class ConnectionFailed(TreadleError):
    """The server could not be reached, or broke the connection more often than the retry budget allows."""

    def __init__(self, detail: str, *, request: str | None = None, run_id: str | None = None) -> None:
        super().__init__(detail)
        self.request = request
        self.run_id = run_id


class StreamTruncated(ConnectionFailed):
    """A stream ended before its terminal event and could not be resumed."""


class StreamAborted(TreadleError):
    """The caller's AbortSignal stopped the reading. Whether the run stops is ``on_disconnect``'s business."""


class RunFailed(TreadleError):
    """The run ended in an error. ``error`` is the class name in the graph's process, ``run_id`` the run."""

    def __init__(self, detail: str, *, error: str, run_id: str | None = None, thread_id: str | None = None) -> None:
        super().__init__(f"{error}: {detail}" if detail else error)
        self.error = error
        self.message = detail
        self.run_id = run_id
        self.thread_id = thread_id


class RunTimeoutError(TreadleError, TimeoutError):
    """Waiting took longer than ``timeout`` seconds. The run itself goes on unless ``on_disconnect="cancel"``."""

    def __init__(self, detail: str, *, run_id: str | None = None, thread_id: str | None = None) -> None:
        super().__init__(detail)
        self.run_id = run_id
        self.thread_id = thread_id


class DecodeError(TreadleError):
    """What arrived does not fit the type asked for (``state_type=``, ``custom_type=`` …). ``data`` is its bytes."""

    def __init__(self, detail: str, *, data: bytes = b"") -> None:
        super().__init__(detail)
        self.data = data


class LeaseLost(TreadleError):
    """A write came from an attempt that no longer holds its run: it was taken over, cut off, ended or deleted."""


class ConfigError(TreadleError):
    """A configuration file or a setting is wrong. ``hint`` says what is allowed or what to do."""

    def __init__(
        self, detail: str, *, file: str | None = None, key: str | None = None, hint: str | None = None
    ) -> None:
        where = ": ".join(part for part in (file, key) if part)
        super().__init__(f"{where}: {detail}" if where else detail)
        self.file = file
        self.key = key
        self.hint = hint


STATUS_ERRORS: dict[int, type[APIError]] = {
    cls.status: cls
    for cls in (
        BadRequestError,
        AuthenticationError,
        PermissionDeniedError,
        NotFoundError,
        ConflictError,
        TooLargeError,
        UnprocessableError,
        RateLimitError,
        ServerError,
        UnavailableError,
    )
}


def error_for_status(status: int) -> type[APIError]:
    """The class for an HTTP status; an unknown 4xx is a BadRequestError, an unknown 5xx a ServerError."""
    return STATUS_ERRORS.get(status) or (BadRequestError if status < 500 else ServerError)
