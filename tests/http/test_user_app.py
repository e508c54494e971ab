"""What a project makes of HTTP: an app of its own, switches, CORS, headers, a prefix."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client

from auth.serving_users import PROJECT
from support import shapes
from support.server_process import Server
from support.transport import StreamingTransport
from treadle.errors import ConfigError
from treadle.project.auth import auth_config
from treadle.project.http import http_config
from treadle.project.load import load_config, load_graphs
from treadle.runtime import Runtime

STARLETTE = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

seen = []

@asynccontextmanager
async def lifespan(app):
    seen.append("start")
    app.state.pool = "a pool"
    yield {"from_lifespan": "yes"}
    seen.append("stop")

class Marks:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def marked(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-marked", b"yes")]
            await send(message)
        await self.app(scope, receive, marked)

async def hello(request):
    return JSONResponse({
        "name": request.path_params.get("name"), "pool": request.app.state.pool, "state": request.state.from_lifespan,
        "user": request.scope["user"].identity if "user" in request.scope else None,
    })

async def mine(request):
    return PlainTextResponse("mine")

async def socket(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()

app = Starlette(
    routes=[
        Mount("/", routes=[Route("/catch/{rest:path}", mine)]), Route("/hello/{name}", hello), Route("/", mine),
        Route("/ok", mine),
        Route("/threads/count", mine, methods=["POST"]), Route("/echo", hello, methods=["POST"]),
        WebSocketRoute("/socket", socket),
    ],
    middleware=[Middleware(Marks)],
    lifespan=lifespan,
)
"""

FASTAPI = """
from contextlib import asynccontextmanager
from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware

@asynccontextmanager
async def lifespan(app):
    app.state.pool = "a pool"
    yield

app = FastAPI(lifespan=lifespan)
app.add_middleware(CORSMiddleware, allow_origins=["https://mine.example"], allow_credentials=True)

@app.middleware("http")
async def mark(request: Request, call_next):
    response = await call_next(request)
    response.headers["x-marked"] = "yes"
    return response

def pool(request: Request):
    return request.app.state.pool

@app.get("/items/{item_id}")
async def item(item_id: int, q: str = "", pool: str = Depends(pool)):
    return {"item": item_id, "q": q, "pool": pool}
"""


def project(directory: Path, http: dict[str, Any], code: str = "", *, auth: bool = False) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "web.py").write_text(code)
    (directory / "graphs.py").write_text((PROJECT / "graphs.py").read_text() + KNOWN)
    (directory / "auth.py").write_text((PROJECT / "auth.py").read_text())
    config = json.loads((PROJECT / "langgraph.json").read_text())
    config["graphs"]["known"] = "./graphs.py:known"
    config = {**config, "http": http}
    if not auth:
        del config["auth"]
    (directory / "langgraph.json").write_text(json.dumps(config))
    return directory


KNOWN = """

def configured(state: State, config: RunnableConfig) -> State:
    return {"who": {key: value for key, value in config["configurable"].items() if key.startswith("x-")}}


known = StateGraph(State).add_node("tell", configured).add_edge(START, "tell").compile()
"""


@asynccontextmanager
async def started(directory: Path) -> AsyncIterator[tuple[Runtime, httpx.AsyncClient]]:
    config = load_config(directory)
    graphs = load_graphs(config)
    settings = shapes.settings(directory / "data", drain_seconds=0.1)
    runtime = Runtime(settings, graphs, auth=auth_config(config), http=http_config(config))
    transport = StreamingTransport(runtime.app)
    async with runtime, httpx.AsyncClient(transport=transport, base_url="http://test", timeout=20) as http:
        yield runtime, http


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with started(directory) as (_, http):
        yield http


APP = {"app": "./web.py:app"}
RUN = {"assistant_id": "echo", "input": {"text": "x"}}


# --- an app -----------------------------------------------------------------------------------------------------------


async def test_an_apps_routes_stand_beside_ours_and_before_them(tmp_path):
    async with serving(project(tmp_path, APP, STARLETTE)) as http:
        answer = (await http.get("/hello/ann%20b")).json()
        assert answer == {"name": "ann b", "pool": "a pool", "state": "yes", "user": None}
        assert (await http.post("/threads/count", json={})).text == "mine"
        assert (await http.get("/")).text == "mine"
        assert (await http.post("/threads/search", json={})).json() == []
        assert (await http.post("/runs/wait", json=RUN)).json() == {"text": "x"}


async def test_reserved_paths_stay_ours_and_a_mount_at_the_root_comes_last(tmp_path):
    async with serving(project(tmp_path, APP, STARLETTE)) as http:
        assert (await http.get("/ok")).json()["ok"] is True
        assert "paths" in (await http.get("/openapi.json")).json()
        assert (await http.get("/info")).status_code == 200
        assert (await http.get("/catch/all/of/it")).text == "mine"


async def test_without_meta_routes_their_paths_are_the_apps(tmp_path):
    async with serving(project(tmp_path, {**APP, "disable_meta": True}, FASTAPI)) as http:
        assert (await http.get("/ok")).json()["ok"] is True
        assert (await http.get("/info")).status_code == 404
        assert "/items/{item_id}" in (await http.get("/openapi.json")).json()["paths"]


async def test_an_apps_middleware_is_around_every_route(tmp_path):
    async with serving(project(tmp_path, APP, STARLETTE)) as http:
        for path in ("/ok", "/hello/x", "/threads/nothing", "/nowhere"):
            assert (await http.get(path)).headers["x-marked"] == "yes"
        async with http.stream("POST", "/runs/stream", json=RUN) as response:
            assert response.headers["x-marked"] == "yes"
            assert "event: values" in (await response.aread()).decode()


async def test_an_apps_lifespan_starts_before_the_first_request_and_ends_with_the_server(tmp_path):
    directory = project(tmp_path, APP, STARLETTE)

    async with started(directory):
        seen = sys.modules["web"].seen
        assert seen == ["start"]
    assert seen == ["start", "stop"]
    async with started(directory) as (_, http):
        assert (await http.get("/hello/again")).json()["pool"] == "a pool"
        assert (await http.post("/threads/search", json={})).json() == []


def test_a_lifespan_that_fails_stops_the_server_with_the_reason(tmp_path):
    code = STARLETTE.replace('seen.append("start")', 'raise RuntimeError("no database")')

    # Not an async test: anyio fails those for the lifespan task's own exception, which nothing retrieves.
    async def main() -> None:
        config = load_config(project(tmp_path, APP, code))
        runtime = Runtime(shapes.settings(tmp_path / "data"), load_graphs(config), http=http_config(config))
        try:
            with pytest.raises(ConfigError, match="no database"):
                await runtime.start()
        finally:
            await runtime.stop()

    asyncio.run(main())


async def test_a_fastapi_app_works_with_its_dependencies_middleware_and_cors(tmp_path):
    async with serving(project(tmp_path, APP, FASTAPI)) as http:
        assert (await http.get("/items/7?q=a")).json() == {"item": 7, "q": "a", "pool": "a pool"}
        assert (await http.get("/items/x")).status_code == 422
        answer = await http.get("/ok", headers={"origin": "https://mine.example"})
        assert answer.headers["access-control-allow-origin"] == "https://mine.example"
        other = await http.get("/ok", headers={"origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers
        async with http.stream("POST", "/runs/stream", json=RUN) as response:
            assert response.headers["x-marked"] == "yes"
            assert "event: values" in (await response.aread()).decode()


async def test_a_projects_routes_ask_who_comes_only_if_told_to(tmp_path):
    async with serving(project(tmp_path / "open", APP, STARLETTE, auth=True)) as http:
        assert (await http.get("/hello/x")).json()["user"] is None
        assert (await http.get("/threads/x")).status_code == 401
    async with serving(
        project(tmp_path / "asked", {**APP, "enable_custom_route_auth": True}, STARLETTE, auth=True)
    ) as http:
        refused = await http.get("/hello/x")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        known = {"authorization": "Bearer ann"}
        assert (await http.get("/hello/x", headers=known)).json()["user"] == "ann"
        assert (await http.post("/echo", headers=known, json={"a": 1})).json()["user"] == "ann"
        assert (await http.get("/ok")).status_code == 200


def test_a_served_app_has_its_lifespan_and_its_sockets(tmp_path):
    from websockets.sync.client import connect

    directory = project(tmp_path / "project", APP, STARLETTE)
    with Server(directory / "langgraph.json", tmp_path / "data") as server:
        assert httpx.get(f"{server.url}/hello/x").json()["pool"] == "a pool"
        with connect(server.url.replace("http", "ws") + "/socket") as socket:
            assert socket.recv(timeout=10) == "hello"
        assert server.stop() == 0


# --- switches, prefix, CORS, headers ----------------------------------------------------------------------------------

SWITCHES = {
    "disable_assistants": ["/assistants/search"],
    "disable_threads": ["/threads", "/threads/search"],
    "disable_runs": ["/runs", "/runs/wait", "/runs/crons/search", "/threads/x/runs"],
    "disable_store": ["/store/items/search"],
    "disable_webhooks": ["/webhooks/deliveries/x/redeliver"],
    "disable_mcp": [],
    "disable_a2a": [],
    "disable_ui": [],
}


@pytest.mark.parametrize("switch", SWITCHES)
async def test_a_switch_turns_its_routes_off_and_no_others(switch, tmp_path):
    async with serving(project(tmp_path, {switch: True})) as http:
        for each, paths in SWITCHES.items():
            for path in paths:
                status = (await http.post(path, json={})).status_code
                assert (status in (404, 405)) == (each == switch), path
        assert (await http.get("/ok")).status_code == 200


async def test_runs_are_made_without_their_webhooks_where_those_are_off(tmp_path):
    async with serving(project(tmp_path, {"disable_webhooks": True})) as http:
        run = (await http.post("/runs", json={**RUN, "webhook": "https://hooks.example.com/x"})).json()
        assert run["kwargs"]["webhook"] is None


async def test_everything_is_under_the_prefix_and_locations_say_so(tmp_path):
    async with (
        asyncio.timeout(30),
        started(project(tmp_path, {**APP, "mount_prefix": "/api"}, STARLETTE)) as (runtime, http),
    ):
        assert (await http.get("/ok")).status_code == 404
        assert (await http.get("/api/ok")).status_code == 200
        assert (await http.get("/api/hello/x")).json()["pool"] == "a pool"
        assert (await http.get("/api/assistants/ec%2Fho")).status_code == 422
        thread = (await http.post("/api/threads", json={})).json()["thread_id"]
        async with http.stream("POST", f"/api/threads/{thread}/runs/stream", json=RUN) as response:
            await response.aread()
            again = await http.get(response.headers["location"], headers={"last-event-id": "0"})
            assert "event: values" in again.text
        async with get_client(url="http://test/api") as sdk:
            sdk.http.client._transport = StreamingTransport(runtime.app)  # type: ignore[attr-defined]
            assert await sdk.runs.wait(thread, "echo", input={"text": "y"}) == {"text": "y"}


async def test_cors_rules_replace_ours(tmp_path):
    rules = {
        "allow_origins": ["https://a.example"],
        "allow_origin_regex": r"https://.*\.b\.example",
        "allow_methods": ["GET", "POST"],
        "allow_headers": ["x-api-key"],
        "allow_credentials": True,
        "expose_headers": ["x-mine"],
        "max_age": 60,
    }

    async with serving(project(tmp_path, {"cors": rules})) as http:
        for origin in ("https://a.example", "https://x.b.example"):
            answer = await http.get("/ok", headers={"origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["access-control-allow-credentials"] == "true"
            assert answer.headers["access-control-expose-headers"] == "x-mine"
        assert "access-control-allow-origin" not in (await http.get("/ok", headers={"origin": "https://c"})).headers
        asked = {"origin": "https://a.example", "access-control-request-method": "POST"}
        preflight = await http.options("/threads", headers=asked)
        assert (preflight.status_code, preflight.headers["access-control-max-age"]) == (200, "60")
        refused = await http.options("/threads", headers={**asked, "access-control-request-method": "DELETE"})
        assert refused.status_code == 400


async def test_what_cors_rules_leave_out_is_what_an_sdk_needs(tmp_path):
    async with serving(project(tmp_path, {"cors": {"allow_origins": ["*"]}})) as http:
        answer = await http.get("/ok", headers={"origin": "https://a.example"})
        assert "location" in answer.headers["access-control-expose-headers"].split(", ")


HEADERS = {"x-org-id": "7", "X-Org-Token": "t", "x-api-key": "k", "x-other": "o"}


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (None, {}),
        ({"includes": ["x-org-*"]}, {"x-org-id": "7", "x-org-token": "t"}),
        ({"includes": ["X-Org-*"], "excludes": ["*Token*"]}, {"x-org-id": "7"}),
        ({"includes": ["x-*"]}, {"x-org-id": "7", "x-org-token": "t", "x-other": "o"}),
        ({"includes": ["x-api-key"]}, {"x-api-key": "k"}),
        ({"excludes": ["x-other"]}, {}),
    ],
)
async def test_headers_that_are_named_go_into_the_configurable(rule, found, tmp_path):
    async with serving(project(tmp_path, {} if rule is None else {"configurable_headers": rule})) as http:
        made = await http.post("/runs/wait", json={"assistant_id": "known", "input": {}}, headers=HEADERS)
        assert made.json()["who"] == found


async def test_a_header_cannot_say_who_somebody_is(tmp_path):
    async with serving(project(tmp_path, {"configurable_headers": {"includes": ["*"]}})) as http:
        headers = {"langgraph_auth_user_id": "root", "thread_id": "t", "user_id": "root"}
        run = (await http.post("/runs", json=RUN, headers=headers)).json()
        configurable = run["kwargs"]["config"]["configurable"]
        assert configurable["langgraph_auth_user_id"] == configurable["user_id"] == ""
        assert configurable["thread_id"] == run["thread_id"]


# --- configuration ----------------------------------------------------------------------------------------------------

WRONG: list[tuple[str, dict[str, Any]]] = [
    ("http.apps", {"apps": "./web.py:app"}),
    ("http.app", {"app": "./web.py:nothing"}),
    ("http.app", {"app": "./web.py:number"}),
    ("http.app", {"app": "web.py"}),
    ("http.app", {"app": "./missing.py:app"}),
    ("http.disable_runs", {"disable_runs": "yes"}),
    ("http.cors", {"cors": []}),
    ("http.cors.origins", {"cors": {"origins": ["*"]}}),
    ("http.cors.allow_origins", {"cors": {"allow_origins": "*"}}),
    ("http.cors.max_age", {"cors": {"max_age": True}}),
    ("http.cors.allow_origin_regex", {"cors": {"allow_origin_regex": "("}}),
    ("http.configurable_headers", {"configurable_headers": ["x"]}),
    ("http.configurable_headers.include", {"configurable_headers": {"include": ["x"]}}),
    ("http.configurable_headers.includes", {"configurable_headers": {"includes": "x"}}),
    ("http.middleware_order", {"middleware_order": "auth_first"}),
    ("http.enable_custom_route_auth", {"enable_custom_route_auth": 1}),
    ("http.mount_prefix", {"mount_prefix": "api"}),
    ("http.mount_prefix", {"mount_prefix": "/{x}"}),
]


def configured_http(file):
    config = load_config(file)
    load_graphs(config)
    return http_config(config)


@pytest.mark.parametrize(("key", "http"), WRONG)
def test_a_wrong_section_is_refused_with_its_key(key, http, tmp_path):
    file = project(tmp_path, http, "number = 7")
    with pytest.raises(ConfigError) as refused:
        configured_http(file)
    assert (refused.value.key, refused.value.file) == (key, str(tmp_path / "langgraph.json"))
