"""Every error that treadle raises, on the server and in the client, in one tree.

    TreadleError
    ├── APIError                    has an HTTP status: the server sends it, the client raises it
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
    │           └── DatabaseUnavailable  the database cannot be reached or written right now; retrying may help
    ├── ConnectionFailed            the server cannot be reached, or the connection broke and retries ran out
    │   └── StreamTruncated         a stream ended before its terminal event
    ├── StreamAborted               the caller's AbortSignal stopped the stream
    ├── RunFailed                   the run ended with status error or timeout
    ├── RunTimeoutError             the wait timed out (also a TimeoutError); the run continues
    ├── DecodeError                 a payload does not fit the requested type
    ├── LeaseLost                   a write by an attempt that no longer owns its run; never leaves the server
    └── ConfigError                 langgraph.json or a setting is invalid: file, key, allowed values

The wire shape of an error is ``{"detail": str, "code": str, …data}``; see docs/http.md.
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
    """An error with an HTTP status. ``data`` is added to the JSON body next to ``detail`` and ``code``.

    In the client, ``request`` is ``"METHOD url"`` and ``run_id`` is the run concerned, if any.
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
        """The JSON body of this error."""
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
    """422. ``field`` is the path of the invalid field, such as ``config.recursion_limit``; the text names it too."""

    status = 422
    code = "unprocessable"


class RateLimitError(APIError):
    """429. ``retry_after`` is the number of seconds to wait, also sent as the ``Retry-After`` header."""

    status = 429
    code = "rate_limited"


class ServerError(APIError):
    status = 500
    code = "internal_error"


class UnavailableError(ServerError):
    status = 503
    code = "unavailable"


class DatabaseUnavailable(UnavailableError):
    """The database cannot be reached, or its disk cannot be written. A run does not fail because of it.

    The run waits, or is handed back and resumes once the database is available again.
    """


class ConnectionFailed(TreadleError):
    """The server could not be reached, or connections to it broke more often than the retry budget allows."""

    def __init__(self, detail: str, *, request: str | None = None, run_id: str | None = None) -> None:
        super().__init__(detail)
        self.request = request
        self.run_id = run_id


class StreamTruncated(ConnectionFailed):
    """A stream ended before its terminal event and could not be resumed."""


class StreamAborted(TreadleError):
    """The caller's AbortSignal stopped the stream. ``on_disconnect`` decides whether the run stops too."""


class RunFailed(TreadleError):
    """The run failed. ``error`` is the name of the exception class in the graph's process."""

    def __init__(self, detail: str, *, error: str, run_id: str | None = None, thread_id: str | None = None) -> None:
        super().__init__(f"{error}: {detail}" if detail else error)
        self.error = error
        self.message = detail
        self.run_id = run_id
        self.thread_id = thread_id


class RunTimeoutError(TreadleError, TimeoutError):
    """The wait exceeded ``timeout`` seconds. The run itself continues unless ``on_disconnect="cancel"``."""

    def __init__(self, detail: str, *, run_id: str | None = None, thread_id: str | None = None) -> None:
        super().__init__(detail)
        self.run_id = run_id
        self.thread_id = thread_id


class DecodeError(TreadleError):
    """A payload does not fit the requested type (``state_type=``, ``custom_type=`` …). ``data`` holds its bytes."""

    def __init__(self, detail: str, *, data: bytes = b"") -> None:
        super().__init__(detail)
        self.data = data


class LeaseLost(TreadleError):
    """A write by an attempt that no longer owns its run: the run was taken over, cut off, ended or deleted."""


class ConfigError(TreadleError):
    """A configuration file or a setting is invalid. ``hint`` names the allowed values or a way to fix it."""

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
