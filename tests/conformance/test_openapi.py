"""``/openapi.json`` describes the server correctly: every route is called with requests that the document allows.

Responses have no status 500, only statuses and content types from the document, and bodies that match it. Examples are
derandomised: the same in each run.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.server_process import Server
from treadle.http import openapi
from treadle.http.app import operations

GRAPHS = Path(__file__).parents[1] / "support" / "graphs" / "langgraph.json"
ENDLESS = "/threads/{thread_id}/stream"
SECONDS = 20
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = openapi.document(operations(), version="0")
API = schemathesis.openapi.from_dict(DOCUMENT).exclude(path=ENDLESS)


@dataclass(frozen=True)
class Known:
    """A server, and the objects on it that requests can name."""

    url: str
    http: httpx.Client
    names: dict[str, str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("openapi") / "data"
    with Server(GRAPHS, data, run_timeout_seconds=2, cancel_seconds=1, webhook_allow_private=True) as server:
        yield server


@pytest.fixture
def known(server: Server) -> Iterator[Known]:
    with httpx.Client(base_url=server.url, timeout=SECONDS) as http:
        yield Known(server.url, http, seeded(http))


def seeded(http: httpx.Client) -> dict[str, str]:
    """Create a thread with a finished run, a cron and a delivery; return values for path parameters."""
    thread = made(http, "/threads", {"metadata": {"graph_id": "chain"}})["thread_id"]
    run = {"assistant_id": "chain", "input": {"n": ["in"]}}
    made(http, f"/threads/{thread}/runs/wait", run)
    (run_row,) = http.get(f"/threads/{thread}/runs").json()
    state = http.get(f"/threads/{thread}/state").json()
    cron = made(http, "/runs/crons", {"assistant_id": "chain", "schedule": "0 0 1 1 *", "enabled": False})
    made(http, f"/threads/{thread}/runs/wait", {**run, "webhook": f"{http.base_url}/ok"})
    (delivery,) = http.get("/webhooks/deliveries", params={"thread_id": thread}).json()
    return {
        "assistant_id": "chain",
        "thread_id": thread,
        "run_id": run_row["run_id"],
        "checkpoint_id": state["checkpoint_id"],
        "cron_id": cron["cron_id"],
        "delivery_id": delivery["delivery_id"],
    }


def made(http: httpx.Client, path: str, body: Any) -> Any:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


def often(value: Any) -> bool:
    """Return True for three values in four, always the same ones."""
    return zlib.crc32(json.dumps(value, sort_keys=True, default=str).encode()) % 4 > 0


def aim(case: schemathesis.Case, names: dict[str, str]) -> None:
    """Make most requests name existing objects, so that they pass the first check; none waits long or calls outside."""
    for name, value in (case.path_parameters or {}).items():
        if name in names and often([name, value]):
            case.path_parameters[name] = names[name]
    for body in case.body if isinstance(case.body, list) else [case.body]:
        if isinstance(body, dict):
            aim_body(body, names)


def aim_body(body: dict[str, Any], names: dict[str, str]) -> None:
    for name in names:
        if name in body and often([name, body]):
            body[name] = names[name]
    if "://" in str(body.get("webhook")):
        body["webhook"] = "ftp://127.0.0.1/"
    if isinstance(body.get("after_seconds"), int | float):
        body["after_seconds"] = body["after_seconds"] % 0.5


@API.parametrize()
@settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_a_route_matches_the_document(case: schemathesis.Case, known: Known) -> None:
    aim(case, known.names)
    response = case.call(base_url=known.url, timeout=SECONDS)
    case.validate_response(response, checks=CHECKS)


@pytest.mark.parametrize("operation", [o for o in operations() if o.path == ENDLESS], ids=lambda o: o.path)
def test_the_endless_stream_starts_as_documented(operation: Any, known: Known) -> None:
    path = operation.path.format_map(known.names)
    described = DOCUMENT["paths"][operation.path]["get"]["responses"]
    for query, status in (({}, 200), ({"stream_modes": "lifecycle"}, 200), ({"stream_modes": "x"}, 422)):
        with known.http.stream("GET", path, params=query) as answer:
            assert answer.status_code == status
            media = answer.headers["content-type"].partition(";")[0]
            assert media in described[str(status)]["content"]
    with known.http.stream("GET", path.replace(known.names["thread_id"], "x")) as answer:
        assert answer.status_code == 422


def test_the_server_serves_this_document(known: Known) -> None:
    served = known.http.get("/openapi.json").json()
    assert served["paths"] == DOCUMENT["paths"]
    assert served["components"] == DOCUMENT["components"]
