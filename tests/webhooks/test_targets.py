"""What a webhook may reach: by its URL when the run is created, and by every address at every connection."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from support.server import Running, running
from support.webhook_receiver import Receiver
from treadle.errors import ConfigError
from treadle.project.load import load_config
from treadle.project.webhooks import WebhookConfig, webhook_config
from treadle.webhooks.post import Address, BlockedTargetError, LocalPost, NetworkPost, PostResponse
from treadle.webhooks.targets import Targets, address_of

LOOPBACK = "Webhook host blocked: loopback IP range"
LOCALHOST = "Webhook host blocked: localhost address"
NO_HOST = "Invalid webhook hostname ''"


def blocked(name: str) -> str:
    return f"Webhook host blocked: {name} IP range"


REFUSED = {
    "http://127.0.0.1:31778/x": LOOPBACK,
    "http://127.8.9.10/": LOOPBACK,
    "http://[::1]/": LOOPBACK,
    "http://[::ffff:127.0.0.1]/": LOOPBACK,
    "http://[64:ff9b::7f00:1]/": LOOPBACK,
    "http://[2002:7f00:1::]/": LOOPBACK,
    "http://127.1/": LOOPBACK,
    "http://2130706433/": LOOPBACK,
    "http://0x7f000001/": LOOPBACK,
    "http://0177.0.0.1/": "Invalid webhook: Invalid IPv4 address: '0177.0.0.1'",
    "http://127.0.0.1./": LOOPBACK,
    "http://localhost:31778/x": LOCALHOST,
    "http://LOCALHOST./": LOCALHOST,
    "http://api.localhost/": LOCALHOST,
    "http://10.1.2.3/": blocked("private"),
    "http://172.16.0.1/": blocked("private"),
    "http://user:password@192.168.1.1/": blocked("private"),
    "http://[fd00::1]/": blocked("private"),
    "http://[::ffff:10.0.0.1]/": blocked("private"),
    "http://169.254.169.254/latest/meta-data": blocked("link-local"),
    "http://[fe80::1]/": blocked("link-local"),
    "http://0.0.0.0/": blocked("unspecified"),
    "http://0/": blocked("unspecified"),
    "http://[::]/": blocked("unspecified"),
    "http://224.0.0.1/": blocked("multicast"),
    "http://[ff02::1]/": blocked("multicast"),
    "http://100.64.0.1/": blocked("reserved"),
    "http://240.0.0.1/": blocked("private"),
    "not a url": NO_HOST,
    "/sink": NO_HOST,
    "//host/sink": NO_HOST,
    "http:///sink": NO_HOST,
    "mailto:a@b": NO_HOST,
    "ftp://x/y": "Webhook host blocked: scheme 'ftp' not allowed",
    "file://x/etc/passwd": "Webhook host blocked: scheme 'file' not allowed",
    "": "Invalid webhook: must have 1 to 2048 characters, has 0",
    "http://h/" + "x" * 2048: "Invalid webhook: must have 1 to 2048 characters, has 2057",
    "http://exa mple.com/": "Invalid webhook: a URL holds no spaces and no control characters",
    "http://example.com/\r\nx: y": "Invalid webhook: a URL holds no spaces and no control characters",
    "http://h:99999/": "Invalid webhook port 99999",
    "http://h:0/": "Invalid webhook port 0",
}
ALLOWED = [
    "https://example.com/hook?a=1",
    "http://example.com:8080",
    "HTTPS://EXAMPLE.COM/",
    "http://8.8.8.8/",
    "http://[2606:4700:4700::1111]/",
    "http://user:password@example.com/",
    "http://localhost.example.com/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_refused(url: str) -> None:
    assert Targets().refusal(url) == REFUSED[url]


@pytest.mark.parametrize("url", ALLOWED)
def test_allowed(url: str) -> None:
    assert Targets().refusal(url) is None


@pytest.mark.parametrize("url", [url for url, why in REFUSED.items() if "IP range" in why or why == LOCALHOST])
def test_the_setting_allows_every_address(url: str) -> None:
    assert Targets(allow_private=True).refusal(url) is None


@pytest.mark.parametrize("url", [url for url, why in REFUSED.items() if "IP range" not in why and why != LOCALHOST])
def test_the_setting_allows_nothing_else(url: str) -> None:
    assert Targets(allow_private=True).refusal(url) == REFUSED[url]


@given(st.text() | st.builds("http://{}/".format, st.text()) | st.builds("http://{}".format, st.ip_addresses()))
def test_any_text_is_decided(url: str) -> None:
    refusal = Targets().refusal(url)
    assert refusal is None or refusal


@given(st.ip_addresses())
def test_only_global_addresses_are_allowed(address: Address) -> None:
    if Targets().address_refusal(address) is None:
        assert address.is_global
        assert not address.is_multicast


def test_addresses_in_every_notation() -> None:
    assert {str(address_of(text)) for text in ("127.0.0.1", "127.1", "0x7f.1", "2130706433")} == {"127.0.0.1"}
    assert address_of("example.com") is None


@pytest.mark.parametrize("path", ["/runs", "/threads/{thread}/runs", "/runs/batch", "/runs/crons"])
async def test_it_is_refused_when_the_run_is_created(server: Running, path: str) -> None:
    place = path.replace("{thread}", await server.thread())
    for url in ("http://127.0.0.1:1/x", "http://10.1.2.3/", "", "not a url", "ftp://x/y"):
        body: Any = {"assistant_id": "chain", "input": {"n": []}, "webhook": url, "schedule": "0 0 1 1 *"}
        answer = await server.http.post(place, json=[body] if path.endswith("batch") else body)
        assert (answer.status_code, answer.json()["detail"], answer.json()["field"]) == (
            422,
            REFUSED.get(url, LOOPBACK),
            "webhook",
        )


# --- connecting -------------------------------------------------------------------------------------------------------


class Wire(httpcore.AsyncMockBackend):
    """Connects to nothing: writes down whom it was to connect to."""

    def __init__(self, refuses: tuple[str, ...] = ()) -> None:
        super().__init__([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
        self.connected: list[tuple[str, int]] = []
        self._refuses = refuses

    async def connect_tcp(self, host: str, port: int, *rest: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        self.connected.append((host, port))
        if host in self._refuses:
            raise httpcore.ConnectError("nobody there")
        return await super().connect_tcp(host, port, *rest, **more)


class Names:
    """A resolver with one list of addresses for each time it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        return [ipaddress.ip_address(text) for text in self._answers.pop(0)]


def post(names: Names, wire: Wire, url: str = "http://hooks.example.com:81/x", **targets: Any) -> PostResponse:
    sending = NetworkPost(Targets(**targets), resolve=names, inner=wire)
    return asyncio.run(sending(url, {"Content-Type": "application/json"}, b"{}"))


def test_it_connects_to_the_address_that_was_checked() -> None:
    names, wire = Names(["93.184.216.34"]), Wire()
    assert post(names, wire).status == 200
    assert (names.asked, wire.connected) == (["hooks.example.com"], [("93.184.216.34", 81)])


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:192.168.0.1", "0.0.0.0", "fd00::1"]
)
def test_a_name_that_leads_inside_is_not_connected_to(address: str) -> None:
    wire = Wire()
    with pytest.raises(BlockedTargetError, match=r"hooks\.example\.com resolves to .*: Webhook host blocked"):
        post(Names([address]), wire)
    assert wire.connected == []


def test_of_several_addresses_only_public_ones_are_tried() -> None:
    names, wire = Names(["10.0.0.1", "93.184.216.34", "2606:4700::1", "::1"]), Wire(refuses=("93.184.216.34",))
    assert post(names, wire).status == 200
    assert [host for host, _ in wire.connected] == ["93.184.216.34", "2606:4700::1"]


async def test_a_name_that_changes_between_two_webhooks_is_checked_each_time() -> None:
    names, wire = Names(["93.184.216.34"], ["127.0.0.1"]), Wire()

    sending = NetworkPost(Targets(), resolve=names, inner=wire)
    assert (await sending("http://hooks.example.com/", {}, b"{}")).status == 200
    with pytest.raises(BlockedTargetError):
        await sending("http://hooks.example.com/", {}, b"{}")
    assert wire.connected == [("93.184.216.34", 80)]


def test_an_address_is_checked_by_itself() -> None:
    wire = Wire()
    with pytest.raises(BlockedTargetError, match="loopback"):
        post(Names([]), wire, "http://127.0.0.1/")
    assert wire.connected == []


def test_a_name_without_an_address() -> None:
    with pytest.raises(httpcore.ConnectError, match="has no address"):
        post(Names([]), Wire())


def test_the_setting_lets_names_lead_inside() -> None:
    wire = Wire()
    assert post(Names(["10.0.0.1"]), wire, allow_private=True).status == 200
    assert wire.connected == [("10.0.0.1", 81)]


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    wire = Wire()
    assert post(Names(["93.184.216.34"]), wire).status == 200
    assert wire.connected == [("93.184.216.34", 81)]


def test_user_and_password_of_a_url_are_sent_as_such() -> None:
    with Receiver() as receiver:
        url = receiver.url().replace("http://", "http://us%40er:pw@")
        sending = NetworkPost(Targets(allow_private=True), resolve=Names(["127.0.0.1"]))
        assert asyncio.run(sending(url, {}, b"{}")).status == 200
        assert httpx.BasicAuth("us@er", "pw")._auth_header == receiver.received[0].headers["authorization"]  # pyright: ignore[reportPrivateUsage]


async def test_a_target_that_is_refused_later_is_given_up(tmp_path: Path) -> None:
    """The settings have changed since the run was created."""

    async with running(tmp_path / "data", webhook_allow_private=True, webhook_backoff_seconds=0.05) as server:
        await server.ended(await server.run("chain", {"n": []}, webhook="http://127.0.0.1:9/x"))
    async with running(tmp_path / "data") as server:
        async with asyncio.timeout(20):
            while not (found := await server.get("/webhooks/deliveries", params={"status": "failed"})):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        whole = await server.get(f"/webhooks/deliveries/{found[0]['delivery_id']}")
        assert whole["log"][-1]["error"] == LOOPBACK


# --- langgraph.json ---------------------------------------------------------------------------------------------------


def config(tmp_path: Path, webhooks: Any, **environ: str) -> WebhookConfig:
    (tmp_path / "graph.py").write_text("")
    raw = {"graphs": {"agent": "./graph.py:agent"}, "webhooks": webhooks}
    (tmp_path / "langgraph.json").write_text(json.dumps(raw))
    return webhook_config(load_config(tmp_path), environ)


@pytest.mark.parametrize(
    ("url", "target", "refusal"),
    [
        ({"require_https": True}, "http://example.com/", "Webhook host blocked: scheme 'http' not allowed"),
        ({"require_https": True}, "https://example.com/", None),
        ({"allowed_ports": [443, 8443]}, "https://example.com/", None),
        (
            {"allowed_ports": [443, 8443]},
            "http://example.com/",
            "Webhook host blocked: port 80 is not in allowed_ports",
        ),
        ({"allowed_domains": ["hooks.example.com"]}, "https://HOOKS.example.com./", None),
        (
            {"allowed_domains": ["hooks.example.com"]},
            "https://evilhooks.example.com/",
            "Webhook host blocked: 'evilhooks.example.com' is not in allowed_domains",
        ),
        ({"allowed_domains": ["*.example.com"]}, "https://a.b.example.com/", None),
        (
            {"allowed_domains": ["*.example.com"]},
            "https://example.com/",
            "Webhook host blocked: 'example.com' is not in allowed_domains",
        ),
        ({"max_url_length": 10}, "https://example.com/", "Invalid webhook: must have 1 to 10 characters, has 20"),
        ({"disable_loopback": False}, "http://127.0.0.1/", None),
        ({"disable_loopback": False}, "http://localhost:8080/", None),
        ({"disable_loopback": False}, "/sink", None),
        ({"disable_loopback": False}, "//host/sink", NO_HOST),
        ({"disable_loopback": False}, "sink", NO_HOST),
        ({"disable_loopback": False}, "http://10.0.0.1/", "Webhook host blocked: private IP range"),
        ({"disable_loopback": True}, "http://127.0.0.1/", LOOPBACK),
    ],
)
def test_the_policy_of_a_project(tmp_path: Path, url: Any, target: str, refusal: str | None) -> None:
    assert Targets(config(tmp_path, {"url": url})).refusal(target) == refusal


def test_headers_of_a_project(tmp_path: Path) -> None:
    headers = {"authorization": "Bearer ${{ env.LG_WEBHOOK_TOKEN }}", "x-team": "agents"}
    found = config(tmp_path, {"headers": headers}, LG_WEBHOOK_TOKEN="t0ken").headers
    assert dict(found) == {"authorization": "Bearer t0ken", "x-team": "agents"}


@pytest.mark.parametrize(
    ("webhooks", "key"),
    [
        ({"urls": {}}, "webhooks.urls"),
        ({"url": {"loopback": True}}, "webhooks.url.loopback"),
        ({"url": {"require_https": "yes"}}, "webhooks.url.require_https"),
        ({"url": {"allowed_ports": ["443"]}}, "webhooks.url.allowed_ports.0"),
        ({"url": {"allowed_ports": [70000]}}, "webhooks.url.allowed_ports.0"),
        ({"url": {"allowed_domains": "example.com"}}, "webhooks.url.allowed_domains"),
        ({"url": {"max_url_length": 0}}, "webhooks.url.max_url_length"),
        ({"url": []}, "webhooks.url"),
        ({"headers": {"x y": "z"}}, "webhooks.headers.x y"),
        ({"headers": {"x": "a\r\nb: c"}}, "webhooks.headers.x"),
        ({"headers": {"x": 5}}, "webhooks.headers.x"),
        ({"headers": {"x": "${{ env.AWS_SECRET }}"}}, "webhooks.headers.x"),
        ({"headers": {"x": "${{ env.LG_WEBHOOK_UNSET }}"}}, "webhooks.headers.x"),
        ({"env_prefix": 5}, "webhooks.env_prefix"),
    ],
)
def test_a_bad_policy_is_told_with_its_key(tmp_path: Path, webhooks: Any, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, webhooks, AWS_SECRET="secret")
    assert caught.value.key == key
    assert "secret" not in str(caught.value).replace("AWS_SECRET", "")


async def test_a_relative_url_reaches_the_servers_own_routes() -> None:
    got: list[Any] = []

    async def sink(request: Request) -> Response:
        got.append((str(request.url.path), request.headers["content-type"], await request.json()))
        return Response(status_code=202)

    app = Starlette(routes=[Route("/sink/{x}", sink, methods=["POST"])])
    sending = LocalPost(app, asyncio.get_running_loop())
    headers = {"Content-Type": "application/json"}

    def elsewhere(work: Callable[[], Any]) -> Any:
        return asyncio.run(work())

    answer = await asyncio.to_thread(elsewhere, lambda: sending("/sink/a?b=c", headers, b'{"run_id":"1"}'))
    assert answer == PostResponse(202)
    assert got == [("/sink/a", "application/json", {"run_id": "1"})]
