"""Encode results and errors: JSON through orjson, and the only mapping from errors to statuses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from msgspec import UNSET, Raw, Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from treadle.errors import APIError, ServerError, TooLargeError, error_for_status

LINGER_SECONDS = 5.0

log = structlog.get_logger("treadle.http")


def encode(value: Any) -> bytes:
    """Compact JSON. Structs become objects without their unset fields, times ISO 8601 with microseconds and ``+00:00``.

    An ``orjson.Fragment`` or ``msgspec.Raw`` is embedded unchanged.
    """
    return orjson.dumps(value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME)


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode(value), status, headers, "application/json")


def paged(items: Sequence[Any], *, total: int, offset: int) -> Response:
    """One page of a search, with headers for the total and the offset of the next page, if any."""
    headers = {"x-pagination-total": str(total)}
    if items and offset + len(items) < total:
        headers["x-pagination-next"] = str(offset + len(items))
    return json_response(items, headers=headers)


def no_content(*, headers: Mapping[str, str] | None = None) -> Response:
    """204. The JS SDK parses every body unless the status is 202 or 204, so empty responses use one of these."""
    return Response(status_code=204, headers=headers)


def error_response(error: Exception) -> Response:
    """The response for any error of an endpoint: an APIError describes itself; any other error is a 500 without user
    data."""
    if isinstance(error, TooLargeError):
        return Lingering(encode(error.body()), error.status, {"connection": "close"}, "application/json")
    if isinstance(error, APIError):
        after = error.data.get("retry_after")
        headers = None if after is None else {"retry-after": str(after)}
        return json_response(error.body(), status=error.status, headers=headers)
    if isinstance(error, HTTPException):
        known = error_for_status(error.status_code)(error.detail, status=error.status_code)
        return json_response(known.body(), status=error.status_code, headers=error.headers)
    log.error("request failed", exc_info=error)
    return json_response(ServerError("Internal server error").body(), status=500)


class Lingering(Response):
    """A response sent while the request's body is still arriving: discards the rest of the body for a while.

    Closing at once would reset the connection, and most clients would then lose the response.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.body", "body": b""})


def _default(value: Any) -> Any:
    if isinstance(value, Struct):
        return {
            name: field
            for name, attribute in zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
            if (field := getattr(value, attribute)) is not UNSET
        }
    if isinstance(value, Raw):
        return orjson.Fragment(bytes(value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    raise TypeError(f"{type(value).__name__} is not JSON")
