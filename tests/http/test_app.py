"""The shell of the application: one error shape, CORS, paths, and chunks that pass through as they are sent."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest
import structlog
from starlette.responses import Response, StreamingResponse

from support.transport import StreamingTransport
from treadle import errors
from treadle.http.app import application
from treadle.http.responses import json_response
from treadle.http.routing import Call, Endpoint, Operation, Services
from treadle.model import JSON
from treadle.settings import Settings

ORIGIN = {"origin": "http://localhost:3000"}


def operation(method: str, path: str, endpoint: Endpoint[Any], **more: Any) -> Operation:
    return Operation(method=method, path=path, endpoint=endpoint, summary="", tag="Test", **more)


@asynccontextmanager
async def serving(table: list[Operation]) -> AsyncIterator[httpx.AsyncClient]:
    services = cast("Services", Services.__new__(Services))
    object.__setattr__(services, "requests", Counter())
    object.__setattr__(services, "gate", None)
    object.__setattr__(services, "settings", Settings(max_body_bytes=10))
    transport = StreamingTransport(application(table, services))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http


async def echo(call: Call[Any]) -> Response:
    return json_response({"path": call.request.path_params})


async def measured(call: Call[Any]) -> Response:
    return json_response(call.body)


def failing(error: Exception) -> Endpoint[Any]:
    async def endpoint(call: Call[Any]) -> Response:
        raise error

    return endpoint


async def test_an_unknown_route_is_a_404_in_the_one_shape() -> None:
    async with serving([operation("GET", "/ok", echo)]) as http:
        for path in ("/nope", "/ok/", "//ok", "/ok/x", "/%6fk/%2F"):
            response = await http.get(path)
            assert (response.status_code, response.json()) == (404, {"detail": "Not Found", "code": "not_found"})


async def test_an_encoded_letter_is_the_letter() -> None:
    async with serving([operation("GET", "/ok", echo)]) as http:
        assert (await http.get("/%6fk")).status_code == 200


async def test_a_wrong_method_is_a_405_that_names_the_methods_of_the_path() -> None:
    async with serving([operation("GET", "/things", echo), operation("POST", "/things", echo)]) as http:
        response = await http.put("/things")
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")
        assert response.json() == {"detail": "Method Not Allowed", "code": "bad_request"}


@pytest.mark.parametrize("kind", list(errors.STATUS_ERRORS.values()), ids=lambda kind: kind.__name__)
async def test_every_api_error_answers_with_its_status_and_body(kind: type[errors.APIError]) -> None:
    async with serving([operation("GET", "/", failing(kind("why", field="a.b")))]) as http:
        response = await http.get("/")
        assert response.status_code == kind.status
        assert response.json() == {"detail": "why", "code": kind.code, "field": "a.b"}


async def test_any_other_error_is_a_500_without_its_text_and_is_logged() -> None:
    error = ZeroDivisionError("secret")
    with structlog.testing.capture_logs() as logs:
        async with serving([operation("GET", "/", failing(error))]) as http:
            response = await http.get("/", headers=ORIGIN)
    assert response.status_code == 500
    assert response.json() == {"detail": "Internal server error", "code": "internal_error"}
    assert response.headers["access-control-allow-origin"] == "*"
    assert [entry["exc_info"] for entry in logs] == [error]


async def test_an_id_is_decoded_once_per_segment() -> None:
    async with serving([operation("GET", "/things/{name}/parts", echo)]) as http:
        for sent, seen in [
            ("a%2Fb", "a/b"),
            ("a%252Fb", "a%2Fb"),
            ("%2E%2E", ".."),
            ("sub%7Cdeep%3A1", "sub|deep:1"),
            ("%C3%A9", "é"),
            ("a b", "a b"),
            ("%FF", "\ufffd"),
            ("%7B%7D", "{}"),
        ]:
            url = httpx.URL("http://test").copy_with(raw_path=f"/things/{sent}/parts".replace(" ", "%20").encode())
            response = await http.get(url)
            assert response.json()["path"] == {"name": seen}, sent


async def test_a_fixed_segment_wins_over_a_parameter() -> None:
    async def other(call: Call[Any]) -> Response:
        return json_response("fixed")

    async with serving([operation("GET", "/things/{name}", echo), operation("GET", "/things/search", other)]) as http:
        assert (await http.get("/things/search")).json() == "fixed"
        assert (await http.get("/things/x")).json()["path"] == {"name": "x"}


async def test_a_route_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="GET /x is in the route table twice"):
        async with serving([operation("GET", "/x", echo), operation("GET", "/x", echo)]):
            pass


async def test_head_answers_as_get_but_never_starts_a_stream() -> None:
    async with serving([operation("GET", "/plain", echo), operation("GET", "/stream", echo, streams=True)]) as http:
        assert (await http.head("/plain")).status_code == 200
        assert (await http.head("/stream")).status_code == 405


async def test_a_browser_may_read_answers_and_the_headers_that_sdks_need() -> None:
    async with serving([operation("GET", "/", echo)]) as http:
        plain = await http.get("/")
        assert plain.headers["vary"] == "Origin"
        assert "access-control-allow-origin" not in plain.headers
        for path in ("/", "/nope"):
            crossed = await http.get(path, headers=ORIGIN)
            assert crossed.headers["access-control-allow-origin"] == "*"
            assert crossed.headers["vary"] == "Origin"
            exposed = crossed.headers["access-control-expose-headers"].split(", ")
            assert exposed == ["content-location", "location", "x-pagination-total", "x-pagination-next"]


async def test_a_preflight_is_answered_for_private_networks_too() -> None:
    async with serving([operation("GET", "/", echo)]) as http:
        asked = {
            **ORIGIN,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,last-event-id,x-api-key",
            "access-control-request-private-network": "true",
        }
        response = await http.options("/threads", headers=asked)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["access-control-allow-headers"] == asked["access-control-request-headers"]
        assert response.headers["access-control-allow-private-network"] == "true"
        assert "PATCH" in response.headers["access-control-allow-methods"]
        assert "Access-Control-Request-Private-Network" in response.headers["vary"]
        assert (
            "access-control-allow-private-network"
            not in (await http.options("/", headers={**ORIGIN, "access-control-request-method": "GET"})).headers
        )


async def test_options_without_a_preflight_is_an_ordinary_request() -> None:
    async with serving([operation("GET", "/", echo)]) as http:
        assert (await http.options("/")).status_code == 405


async def test_chunks_pass_through_as_they_are_sent() -> None:
    go = asyncio.Event()

    async def stream(call: Call[Any]) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"one"
            await go.wait()
            yield b"two"

        return StreamingResponse(chunks())

    table = [operation("GET", "/", stream, streams=True)]
    async with serving(table) as http, http.stream("GET", "/", headers=ORIGIN) as response:
        parts = response.aiter_raw()
        assert await anext(parts) == b"one"
        go.set()
        assert await anext(parts) == b"two"


async def test_a_body_that_is_too_large_is_a_413_and_closes_the_connection() -> None:
    async with serving([operation("POST", "/", measured, body=JSON)]) as http:
        response = await http.post("/", content=json.dumps({"a": "x" * 100}))
        assert response.status_code == 413
        assert response.json()["code"] == "too_large"
        assert response.json()["limit"] == 10
        assert response.headers["connection"] == "close"
        assert (await http.post("/", content=b'{"a":1}', headers={"content-type": "text/plain"})).json() == {"a": 1}
