"""The console's files over HTTP: where they are served, with which headers, and what stands there without a build."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from auth.serving_users import serve_users
from support.serving import served
from support.transport import StreamingTransport
from treadle.http import console
from treadle.http.routing import on_http_error
from treadle.http.user_app import Prefixed

INDEX = """<!doctype html><base href="/console/" /><meta property="csp-nonce" nonce="" />
<script src="./assets/a-1.js"></script>"""
SCRIPT = "console.log('x');" * 100


@pytest.fixture
def files(tmp_path: Path) -> Path:
    built = tmp_path / "console"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text(INDEX)
    (built / "assets" / "a-1.js").write_text(SCRIPT)
    (built / "assets" / "a-1.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (built / "assets" / "b-2.css").write_text("p {}")
    (built / "assets" / "secret.txt").write_text("of no known kind")
    return built


def app(files: Path) -> Starlette:
    return Starlette(routes=console.routes(files), exception_handlers={HTTPException: on_http_error})


@asynccontextmanager
async def client_of(served: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=StreamingTransport(served), base_url="http://test") as http:
        yield http


@pytest.fixture
async def http(files: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app(files)) as http:
        yield http


def base_of(response: httpx.Response) -> str:
    found = re.search(r'<base href="([^"]*)"', response.text)
    assert found is not None, response.text
    return str(httpx.URL(str(response.url)).join(found[1]).raw_path, "ascii")


PLACES = (
    "/console",
    "/console/",
    "/console/runs",
    "/console/runs/",
    "/console/threads/x/runs/y?view=events",
    "/console/assistants/a%2Fb",
    "/console/threads/console",
)


@pytest.mark.parametrize("place", PLACES)
async def test_every_place_is_the_one_page_with_the_way_back_to_its_root(
    http: httpx.AsyncClient, files: Path, place: str
) -> None:
    response = await http.get(place)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert base_of(response) == "/console/"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("prefix", ["/api", "/a/console"])
async def test_under_a_prefix_the_way_back_is_the_prefix_too(files: Path, prefix: str, place: str) -> None:
    async with client_of(Prefixed(app(files), prefix)) as http:
        assert base_of(await http.get(prefix + place)) == f"{prefix}/console/"
        assert (await http.get(place)).status_code == 404


@pytest.mark.parametrize("place", PLACES)
async def test_behind_a_proxy_that_takes_a_prefix_off_the_way_back_is_still_right(
    http: httpx.AsyncClient, files: Path, place: str
) -> None:
    response = await http.get(place)
    found = re.search(r'<base href="([^"]*)"', response.text)
    assert found is not None
    assert httpx.URL(f"https://outside/tools/treadle{place}").join(found[1]).path == "/tools/treadle/console/"


async def test_the_policy_lets_nothing_in_from_outside_and_no_script_into_the_page(
    http: httpx.AsyncClient, files: Path
) -> None:
    first, second = await http.get("/console"), await http.get("/console")
    policies = [response.headers["content-security-policy"] for response in (first, second)]
    rules = dict(rule.split(" ", 1) for rule in policies[0].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == rules["font-src"] == rules["base-uri"] == "'self'"
    assert rules["frame-ancestors"] == rules["form-action"] == "'none'"
    assert "unsafe" not in policies[0]
    assert "*" not in policies[0]
    nonce = re.search(r"'nonce-([\w-]{20,})'", rules["style-src"])
    assert nonce is not None
    assert f'nonce="{nonce[1]}"' in first.text
    assert policies[0] != policies[1], "a nonce is used once"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert first.headers["referrer-policy"] == "no-referrer"


async def test_assets_never_change_and_come_compressed_where_that_is_accepted(
    http: httpx.AsyncClient, files: Path
) -> None:
    plain = await http.get("/console/assets/a-1.js", headers={"accept-encoding": "identity"})
    packed = await http.get("/console/assets/a-1.js", headers={"accept-encoding": "br, gzip"})
    for response in (plain, packed):
        assert response.text == SCRIPT
        assert response.headers["content-type"] == "text/javascript; charset=utf-8"
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["vary"] == "accept-encoding"
        assert response.headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    style = await http.get("/console/assets/b-2.css", headers={"accept-encoding": "gzip"})
    assert (style.text, "content-encoding" in style.headers) == ("p {}", False)


@pytest.mark.parametrize(
    "name",
    [
        "gone-3.js",
        "secret.txt",
        "..%2Findex.html",
        "..%2F..%2F..%2Fsettings.js",
        "%2Fetc%2Fpasswd",
        "..",
        "a-1.js.gz",
        "",
    ],
)
async def test_no_other_file_can_be_had_and_what_is_gone_is_no_page(files: Path, name: str) -> None:
    (files.parent.parent / "settings.js").write_text("of another directory")

    async with client_of(app(files)) as http:
        response = await http.get(f"/console/assets/{name}")
        assert "of another directory" not in response.text
        assert "of no known kind" not in response.text
        if response.status_code != 404:
            assert base_of(response) == "/console/"


async def test_only_reading_is_answered(http: httpx.AsyncClient, files: Path) -> None:
    assert (await http.head("/console")).status_code == 200
    refused = await http.post("/console/runs")
    assert refused.status_code == 405
    assert sorted(refused.headers["allow"].split(", ")) == ["GET", "HEAD"]


async def test_without_a_build_it_says_how_to_get_one(tmp_path: Path) -> None:
    async with client_of(app(tmp_path / "nothing")) as http:
        page = await http.get("/console/runs", headers={"accept": "text/html,*/*"})
        assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert "make setup" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        answer = await http.get("/console")
        assert answer.status_code == 503
        assert "make setup" in answer.json()["detail"]
        assert (await http.get("/console/assets/a-1.js")).status_code == 404


async def test_a_server_has_it_unless_it_is_switched_off(tmp_path: Path) -> None:
    async with served(tmp_path / "on") as api:
        assert (await api.http.get("/console")).status_code in (200, 503)
        assert not [path for path in (await api.http.get("/openapi.json")).json()["paths"] if "console" in path]
    async with served(tmp_path / "off", console=False) as api:
        assert (await api.http.get("/console")).status_code == 404
        assert (await api.http.get("/ok")).status_code == 200


async def test_its_files_are_open_and_the_api_behind_them_is_not(tmp_path: Path) -> None:
    async with serve_users(tmp_path) as users:
        assert (await users.anonymous.get("/console")).status_code in (200, 503)
        assert (await users.anonymous.post("/threads/search", json={})).status_code == 401
