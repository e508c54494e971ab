"""The part of the client without I/O: building calls and reading responses. Pure."""

from __future__ import annotations

import difflib
import re
import uuid
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import quote, unquote

import httpx
import msgspec

from treadle.errors import APIError, ConfigError, DecodeError, RunFailed, error_for_status
from treadle.model import JSON

from .options import BatchItem, CallOptions, RunCreated, RunFields, RunFilters, RunOptions
from .retry import REFUSED_STATUSES, RETRIED_STATUSES, TryAgain, retry_after

T = TypeVar("T")

EVENTS_HEADER = {"treadle-events": "1", "accept": "text/event-stream", "accept-encoding": "identity"}
FROM_START = "-1"
_CREATED_AT = re.compile(r"(?:/threads/(?P<thread>[^/?#]+))?/runs/(?P<run>[^/?#]+)$")
_NOT_FOUND = re.compile(r"(?P<status>[45]\d\d): (?P<detail>.*)", re.DOTALL)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_FINAL = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP call. ``path`` is relative to the server's URL, or a whole URL on that server.

    ``repeatable``: repeating the call has no further effect. ``gone_is_done``: after a lost response, a 404 means that
    an earlier try succeeded. ``run`` is the run concerned, if known.
    """

    method: str
    path: str
    content: bytes | None = None
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    repeatable: bool = True
    gone_is_done: bool = False
    run: RunCreated | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def run_id(self) -> str | None:
        return self.run.run_id if self.run else None


def address(url: str) -> httpx.URL:
    """The server's URL without a trailing slash. Raises ConfigError if it is not an http(s) URL."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ConfigError(f"{url!r} is not a URL: {error}", key="url") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigError(f"{url!r} is not the URL of a server, such as http://127.0.0.1:2024", key="url")
    return httpx.URL(str(parsed).rstrip("/"))


def segment(value: str) -> str:
    """One path segment. Dots are encoded too, so that no id is treated as a relative path."""
    return quote(value, safe="").replace(".", "%2E")


def path(*parts: str | tuple[str]) -> str:
    """``path("threads", (thread_id,), "runs")``: names are used as they are, ids (in a tuple) are encoded."""
    return "".join(f"/{part if isinstance(part, str) else segment(*part)}" for part in parts)


def run_path(thread_id: str | None, *parts: str | tuple[str]) -> str:
    return path(*parts) if thread_id is None else path("threads", (thread_id,), *parts)


def encode(body: Any) -> bytes:
    """Encode a request body as JSON. Objects with ``model_dump`` (pydantic models, langchain messages) are dumped."""
    return msgspec.json.encode(body, enc_hook=_dump)


def _dump(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is None or isinstance(value, type):
        raise TypeError(f"a {type(value).__name__} cannot be sent as JSON: {value!r:.100}")
    return dump()


def call(
    method: str,
    where: str,
    options: CallOptions | None = None,
    *,
    body: Any = None,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    repeatable: bool = True,
    gone_is_done: bool = False,
) -> Call:
    """A call merged with the caller's options, which take precedence. Parameters that are None are omitted."""
    given = options or {}
    _check_names(given, CallOptions)
    sent = {**(headers or {}), **_lower(given.get("headers"))}
    if body is not None:
        sent.setdefault("content-type", "application/json")
    return Call(
        method=method,
        path=where,
        content=None if body is None else encode(body),
        params={**present(params or {}), **(given.get("params") or {})},
        headers=sent,
        repeatable=repeatable,
        gone_is_done=gone_is_done,
    )


def run_call(
    suffix: str,
    thread_id: str | None,
    assistant_id: str,
    options: RunOptions,
    *,
    headers: Mapping[str, str] | None = None,
) -> Call:
    """The call that creates a run: ``suffix`` is empty, ``stream`` or ``wait``."""
    where = run_path(thread_id, "runs", *([suffix] if suffix else []))
    body = run_body(assistant_id, options, RunOptions)
    return call("POST", where, call_options(options), body=body, headers={**_key(), **(headers or {})})


def batch_call(payloads: Iterable[BatchItem], options: CallOptions) -> Call:
    items = [run_body(item["assistant_id"], item, BatchItem) for item in payloads]
    return call("POST", "/runs/batch", options, body=items, headers=_key())


def retry_call(thread_id: str, run_id: str, options: CallOptions) -> Call:
    return call("POST", run_path(thread_id, "runs", (run_id,), "retry"), options, headers=_key())


def filter_call(suffix: str, filters: RunFilters, **order: Any) -> Call:
    """The call that searches or counts the runs of all threads."""
    _check_names(filters, RunFilters)
    given = {name: value for name, value in filters.items() if name not in CallOptions.__annotations__}
    bounds = {name: instant(name, filters.get(name)) for name in ("created_after", "created_before")}
    return call("POST", f"/runs/{suffix}", call_options(filters), body=present({**given, **bounds, **order}))


def run_body(assistant_id: str, options: RunFields, table: type) -> JSON:
    """The JSON body that creates a run, without fields that are None."""
    _check_names(options, table)
    given = cast("JSON", options)
    if given.get("checkpoint_during") is not None:
        warnings.warn("checkpoint_during is deprecated, use durability", DeprecationWarning, stacklevel=5)
    body = {name: given[name] for name in RunFields.__annotations__ if name != "kwargs" and given.get(name) is not None}
    if isinstance(body.get("command"), Mapping):
        body["command"] = present(body["command"])
    if tracer := body.pop("langsmith_tracing", None):
        body["langsmith_tracer"] = tracer
    return {"assistant_id": assistant_id, **body, **(given.get("kwargs") or {})}


def call_options(options: RunOptions | RunFilters) -> CallOptions:
    return {"headers": options.get("headers"), "params": options.get("params")}


def instant(name: str, value: datetime | str | None) -> str | None:
    """An instant in ISO 8601. A datetime must have a time zone; a string is passed unchanged."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{name} must have a time zone: datetime.now(UTC), not datetime.now()")
    return value.isoformat()


def _key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def present(fields: Mapping[str, Any]) -> JSON:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _check_names(given: Mapping[str, Any], table: type) -> None:
    allowed = [*_fields(table)]
    for name in given:
        if name not in allowed:
            close = difflib.get_close_matches(name, allowed, 1)
            raise TypeError(f"unknown option {name!r}{f', did you mean {close[0]!r}?' if close else ''}")


def _fields(table: Any) -> Iterable[str]:
    return table.__required_keys__ | table.__optional_keys__


def created(response: httpx.Response) -> RunCreated | None:
    """The run named by ``Content-Location``."""
    found = _CREATED_AT.search(response.headers.get("content-location", ""))
    if found is None:
        return None
    thread = found["thread"]
    return RunCreated(unquote(found["run"]), unquote(thread) if thread else None)


def on_server(base: httpx.URL, location: str) -> str | None:
    """The target of a ``Location`` header if it is on the same server, else None."""
    try:
        target = base.join(location)
    except httpx.InvalidURL:
        return None
    if (target.scheme, target.host, target.port) != (base.scheme, base.host, base.port):
        return None
    below = base.raw_path.decode().rstrip("/")
    outside = bool(below) and not location.startswith(("http:", "https:", f"{below}/"))
    # Behind a proxy that strips a prefix, the server announces its own paths without the prefix.
    return f"{base}/{location.lstrip('/')}" if outside else str(target)


def resumed(first: Call, response: httpx.Response, base: httpx.URL, suffix: str) -> Call | None:
    """The call that continues ``first`` after a cut: a GET of the location that its response announced.

    None if there is no such location. Calls that only read are repeated unchanged.
    """
    if first.method == "GET":
        return first
    location = response.headers.get("location")
    run = created(response)
    if location is None and run is not None:
        location = run_path(run.thread_id, "runs", (run.run_id,), suffix)
    target = on_server(base, location) if location else None
    if target is None:
        return None
    dropped = ("idempotency-key", "content-type")
    headers = {name: value for name, value in first.headers.items() if name not in dropped}
    return Call(method="GET", path=target, headers=headers, run=run or first.run)


def after(resume: Call, event_id: str) -> Call:
    return replace(resume, headers={**resume.headers, "last-event-id": event_id})


def decoded(content: bytes, kind: type[T]) -> T:
    """Decode the server's response to the type that the method returns."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise DecodeError(f"the server's response is not what this client expects: {error}", data=content) from error


def api_error(status: int, content: bytes, made: Call) -> APIError:
    """The error of a response. Its text is ``message``, ``detail`` or ``error``, in this order; other fields become
    data."""
    body = _json_object(content)
    detail = next((body[name] for name in ("message", "detail", "error") if body.get(name)), None)
    text = (
        detail if isinstance(detail, str) else encode(detail).decode() if detail else content.decode(errors="replace")
    )
    reserved = ("message", "detail", "code", "self", "status", "request", "run_id")
    data = {name: value for name, value in body.items() if name not in reserved}
    run_id = made.run_id or body.get("run_id")
    cls = error_for_status(status)
    return cls(text[:2000] or f"HTTP {status}", status=status, request=str(made), run_id=run_id, **data)


def status_failure(response: httpx.Response, content: bytes, made: Call) -> Exception:
    """The exception for a response that is not 2xx: TryAgain if a retry may succeed, else the error."""
    error = api_error(response.status_code, content, made)
    allowed = RETRIED_STATUSES if made.repeatable else REFUSED_STATUSES
    if response.status_code not in allowed:
        return error
    wait = retry_after(response.headers.get("retry-after"))
    return TryAgain(error, after=wait, lost=response.status_code not in REFUSED_STATUSES)


def may_try_again(error: httpx.RequestError, made: Call) -> tuple[bool, bool]:
    """``(again, lost)`` for a failed connection: whether to retry, and whether the server may have processed the
    call."""
    unsent = isinstance(error, _NOT_SENT)
    return (unsent or made.repeatable) and not isinstance(error, _FINAL), not unsent


def envelope_error(body: Any, run: RunCreated | None, made: Call) -> Exception | None:
    """The exception for a final response ``{"__error__": {…}}``; None if it is a result."""
    found = cast("JSON", body).get("__error__") if isinstance(body, dict) else None
    return wire_error(cast("JSON", found), run, made) if isinstance(found, dict) else None


def wire_error(error: Mapping[str, Any], run: RunCreated | None, made: Call) -> APIError | RunFailed:
    """The exception for ``{"error", "message"}``. One named HTTPException is an error of the call, not of the run."""
    name, message = str(error.get("error") or "Error"), str(error.get("message") or "")
    refused = _NOT_FOUND.fullmatch(message) if name == "HTTPException" else None
    run_id = run.run_id if run else made.run_id
    if refused:
        cls = error_for_status(int(refused["status"]))
        return cls(refused["detail"], status=int(refused["status"]), request=str(made), run_id=run_id)
    return RunFailed(message, error=name, run_id=run_id, thread_id=run.thread_id if run else None)


def _json_object(content: bytes) -> JSON:
    try:
        body = msgspec.json.decode(content)
    except ValueError:
        return {}
    return cast("JSON", body) if isinstance(body, dict) else {}
