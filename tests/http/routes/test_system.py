"""The server about itself, its documents, and what only real sockets show."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from support.serving import Served, served
from treadle.http import openapi
from treadle.http.app import operations
from treadle.http.routes.system import SHOWN_SETTINGS
from treadle.settings import Settings

TABLE = operations()


async def test_ok_and_info(api: Served, tmp_path: Path) -> None:
    for path in ("/ok", "/"):
        response = await api.http.get(path)
        assert (response.status_code, response.content) == (200, b'{"ok":true,"services":{}}')
    info = (await api.http.get("/info")).json()
    assert info["version"] == version("treadle")
    assert info["langgraph_py_version"] == version("langgraph")
    assert info["flags"]["assistants"] is True
    assert info["host"]["kind"] == "self-hosted"
    assert set(info["settings"]) == set(SHOWN_SETTINGS) <= set(Settings.__dataclass_fields__)
    assert str(tmp_path) not in json.dumps(info)


async def test_the_document_describes_every_route(api: Served) -> None:
    document = (await api.http.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(operation.method, operation.path) for operation in TABLE}
    assert _references(document) <= set(document["components"]["schemas"])
    every = [operation for methods in document["paths"].values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in every]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] for operation in every)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            in_path = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
            assert in_path == re.findall(r"{(\w+)}", path)
    assert document["components"]["schemas"]["RunCreate"]["required"] == ["assistant_id"]


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


async def test_the_page_lists_every_route_and_loads_nothing(api: Served) -> None:
    response = await api.http.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert all(f"<code>{operation.path}</code>" in response.text for operation in TABLE)
    assert not re.search(r"<script|<link|https?://|@import", response.text.split("</style>")[0])
    assert "src=" not in response.text


def test_what_a_document_says_is_escaped_in_the_page() -> None:
    document = openapi.document(TABLE[:1], version="<b>")
    assert "<b></h1>" not in openapi.page(document)


# --- over a socket


@asynccontextmanager
async def listening_on(data: Path, **settings: Any) -> AsyncIterator[int]:
    async with served(data, **settings) as api:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(api.runtime.app, lifespan="off", log_config=None, access_log=False, ws="none")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True
                await serving


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    async with listening_on(tmp_path) as port:
        yield port


async def test_a_body_over_the_limit_gets_413_before_it_is_sent(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /threads HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000000\r\n\r\n{")
    answer = await asyncio.wait_for(reader.readuntil(b'"code":"too_large"'), 3)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer
    writer.close()


@pytest.mark.parametrize("announced", [True, False])
async def test_a_client_that_sends_too_much_reads_the_413(tmp_path: Path, announced: bool) -> None:
    async with listening_on(tmp_path, max_body_bytes=1_000_000) as port:

        async def parts() -> Any:
            for _ in range(64):
                yield b" " * 100_000

        body: Any = b" " * 6_400_000 if announced else parts()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            response = await http.post("/threads", content=body)
            assert (response.status_code, response.json()["limit"]) == (413, 1_000_000)
            assert (await http.get("/ok")).status_code == 200


async def test_paths_and_methods_over_a_socket(port: int) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        assert (await http.head("/ok")).status_code == 200
        assert (await http.get("/ok/")).status_code == 404
        wrong = await http.put("/threads", json={})
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        thread = (await http.post("/threads", json={})).json()
        response = await http.get(f"/threads/{thread['thread_id']}/state/a%2Fb")
        assert (response.status_code, response.json()["values"]) == (200, {})
