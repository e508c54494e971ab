"""Deliveries that do not get through at once: tried again, in order, without keeping others waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from support.server import Running, running
from support.webhook_receiver import Received, Receiver, in_turn
from treadle.errors import ConfigError
from treadle.ports.deliveries import LeasedDelivery
from treadle.settings import Settings
from treadle.webhooks.courier import WebhookSigner, retry_delay, try_result
from treadle.webhooks.post import BlockedTargetError, PostResponse

QUICK = {"webhook_allow_private": True, "webhook_backoff_seconds": 0.02, "poll_seconds": 0.05}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "b3RoZXJzZWNyZXRvdGhlcnNlY3JldA=="


def serving(tmp_path: Path, **settings: Any) -> AbstractAsyncContextManager[Running]:
    return running(tmp_path / "data", **{**QUICK, **settings})


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path) as server:
        yield server


async def delivery(server: Running, run: str) -> Any:
    (found,) = await server.get("/webhooks/deliveries", params={"run_id": run[-36:]})
    return await server.get(f"/webhooks/deliveries/{found['delivery_id']}")


async def settled(server: Running, run: str, status: str = "delivered", tries: int = 1) -> Any:
    """The delivery of a run's ending, once it has come to ``status`` after ``tries``."""
    await server.ended(run)
    async with asyncio.timeout(20):
        while (found := await delivery(server, run))["status"] != status or found["tries"] < tries:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found


async def test_a_receiver_that_answers_500_is_asked_again(server: Running) -> None:
    with Receiver(in_turn(500, 503, 404)) as receiver:
        run = await server.run("chain", {"n": []}, webhook=receiver.url())
        received = await receiver.gets(4)
        found = await settled(server, run)
    assert len({each.id for each in received}) == 1
    assert [(t["number"], t["status_code"], t["error"]) for t in found["log"]] == [
        (1, 500, "HTTP 500"),
        (2, 503, "HTTP 503"),
        (3, 404, "HTTP 404"),
        (4, 200, None),
    ]
    assert (found["tries"], found["next_try_at"], found["payload"]["run_id"]) == (4, None, run[-36:])
    assert all(t["duration_ms"] >= 0 for t in found["log"])
    sent = [each.body.pop("webhook_sent_at") for each in received]
    assert sent == sorted(set(sent))
    assert [each.body for each in received] == [found["payload"]] * 4


async def test_a_receiver_that_is_down_gets_its_webhook_once_it_is_up(server: Running) -> None:
    receiver = Receiver().start()
    receiver.stop()
    run = await server.run("chain", {"n": []}, webhook=receiver.url())
    assert "ConnectError" in (await settled(server, run, "pending", tries=2))["log"][0]["error"]
    with receiver:
        assert (await receiver.gets())[0].body["run_id"] == run[-36:]
        assert (await settled(server, run))["tries"] >= 2


async def test_a_receiver_that_hangs_keeps_nobody_waiting(server: Running) -> None:
    """More deliveries hang than may be under way at one receiver; other receivers, and runs, go on meanwhile."""

    with Receiver(lambda _: None) as hanging, Receiver() as well:
        for i in range(12):
            await server.ended(await server.run("chain", {"n": [i]}, webhook=hanging.url()))
        for i in range(12):
            await server.ended(await server.run("chain", {"n": [i]}, webhook=well.url()))
        await well.gets(12)
        assert len(hanging.received) == 4


async def test_a_receiver_that_does_not_answer_in_time_is_asked_again(tmp_path: Path) -> None:
    async with serving(tmp_path, webhook_timeout_seconds=0.3) as server:
        silent = iter([None])
        with Receiver(lambda _: next(silent, 200)) as receiver:
            run = await server.run("chain", {"n": []}, webhook=receiver.url())
            await receiver.gets(2)
            found = await settled(server, run)
        assert found["log"][0]["error"] == "no response within 0.3 seconds"
        assert found["log"][0]["duration_ms"] >= 250


async def test_the_webhooks_of_a_thread_come_in_the_order_of_the_endings(server: Running) -> None:
    """Though the first fails a few times, none overtakes it; another thread's does."""

    answers = {"/0": [500, 500, 500], "/3": [500]}
    with Receiver(lambda r: left.pop() if (left := answers.get(r.path)) else 200) as receiver:
        thread_id = await server.thread()
        for i in range(6):
            await server.run("chain", {"n": [i]}, thread_id=thread_id, webhook=receiver.url(f"/{i}"))
        await server.run("chain", {"n": []}, webhook=receiver.url("/other"))
        received = await receiver.gets(6 + 4 + 1)
    of_thread = [each.path for each in received if each.path != "/other"]
    assert of_thread == ["/0"] * 4 + ["/1", "/2"] + ["/3"] * 2 + ["/4", "/5"]


async def test_one_receiver_of_a_thread_does_not_wait_for_another(server: Running) -> None:
    with Receiver(lambda _: 500) as failing, Receiver() as well:
        thread_id = await server.thread()
        await server.run("chain", {"n": []}, thread_id=thread_id, webhook=failing.url())
        await server.run("chain", {"n": []}, thread_id=thread_id, webhook=well.url())
        await well.gets()
        await failing.gets(2)


async def test_it_is_given_up_after_the_time_for_it_and_the_next_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, webhook_retry_seconds=0.3) as server:
        with Receiver(lambda r: 500 if r.path == "/bad" else 200) as receiver:
            thread_id = await server.thread()
            run = await server.run("chain", {"n": []}, thread_id=thread_id, webhook=receiver.url("/bad"))
            await server.run("chain", {"n": []}, thread_id=thread_id, webhook=receiver.url("/next"))
            await receiver.gets(where=lambda r: r.path == "/next")
            found = await settled(server, run, "failed")
        assert (found["status"], found["log"][-1]["error"]) == ("failed", "HTTP 500")
        assert found["tries"] == len(found["log"]) > 1
        assert found["finished_at"]


async def test_what_is_gone_is_not_asked_again(server: Running) -> None:
    with Receiver(lambda _: 410) as receiver:
        run = await server.run("chain", {"n": []}, webhook=receiver.url())
        assert (await settled(server, run, "failed"))["tries"] == 1


async def test_a_redirect_is_not_followed(server: Running) -> None:
    with Receiver() as target, Receiver(lambda _: (307, {"location": target.url("/secret")})) as receiver:
        run = await server.run("chain", {"n": []}, webhook=receiver.url())
        found = await settled(server, run, "pending", tries=2)
        assert target.received == []
    assert found["log"][0]["status_code"] == 307
    assert found["log"][0]["error"] == f"HTTP 307 to {target.url('/secret')}; redirects are not followed"


async def test_the_receiver_says_when_it_may_be_asked_again(server: Running) -> None:
    answers = iter([(429, {"retry-after": "1"})])
    with Receiver(lambda _: next(answers, 200)) as receiver:
        run = await server.run("chain", {"n": []}, webhook=receiver.url())
        await receiver.gets(2)
        first, second = (await settled(server, run))["log"]
    assert first["status_code"] == 429
    assert first["at"][:19] != second["at"][:19]


async def test_what_was_delivered_can_be_sent_again_under_the_same_id(server: Running) -> None:
    with Receiver() as receiver:
        run = await server.run("chain", {"n": []}, webhook=receiver.url())
        found = await settled(server, run)
        again = await server.post(f"/webhooks/deliveries/{found['delivery_id']}/redeliver", None)
        assert again["status"] == "pending"
        first, second = await receiver.gets(2)
        assert first.id == second.id == found["delivery_id"]
        assert [t["number"] for t in (await settled(server, run, tries=2))["log"]] == [1, 2]


async def test_what_was_given_up_can_be_sent_again(server: Running) -> None:
    """The time for retries starts over."""

    with Receiver(in_turn(410, 500, 500)) as receiver:
        run = await server.run("chain", {"n": []}, webhook=receiver.url())
        found = await settled(server, run, "failed")
        await server.post(f"/webhooks/deliveries/{found['delivery_id']}/redeliver", None)
        await receiver.gets(4)
        assert (await settled(server, run))["tries"] == 4


async def test_deliveries_are_listed_by_what_they_are(server: Running) -> None:
    with Receiver(lambda r: 410 if r.path == "/bad" else 200) as receiver:
        runs = [await server.run("chain", {"n": []}, webhook=receiver.url(path)) for path in ("/a", "/bad", "/b")]
        for run, status in zip(runs, ("delivered", "failed", "delivered"), strict=True):
            await settled(server, run, status)
        (failed,) = await server.get("/webhooks/deliveries", params={"status": "failed"})
        assert (failed["run_id"], failed["url"]) == (runs[1][-36:], receiver.url("/bad"))
        thread_id = runs[2].split("/")[2]
        (of_thread,) = await server.get("/webhooks/deliveries", params={"thread_id": thread_id})
        assert of_thread["run_id"] == runs[2][-36:]
        page = await server.http.get("/webhooks/deliveries", params={"limit": 1, "offset": 1})
        assert (page.headers["x-pagination-total"], page.headers["x-pagination-next"]) == ("3", "2")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/webhooks/deliveries?status=lost", 422),
        ("GET", "/webhooks/deliveries?run_id=x", 422),
        ("GET", "/webhooks/deliveries?limit=0", 422),
        ("GET", "/webhooks/deliveries/x", 422),
        ("GET", "/webhooks/deliveries/00000000-0000-4000-8000-000000000000", 404),
        ("POST", "/webhooks/deliveries/00000000-0000-4000-8000-000000000000/redeliver", 404),
    ],
)
async def test_bad_questions(server: Running, method: str, path: str, status: int) -> None:
    assert (await server.http.request(method, path)).status_code == status


async def test_finished_deliveries_go_after_their_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        with Receiver() as receiver:
            await settled(server, await server.run("chain", {"n": []}, webhook=receiver.url()))
    async with serving(tmp_path, webhook_retention_seconds=0) as server:
        async with asyncio.timeout(20):
            while await server.get("/webhooks/deliveries"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


# --- signatures -------------------------------------------------------------------------------------------------------


def verified(received: Received, secret: str) -> Any:
    return standardwebhooks.Webhook(secret).verify(received.raw, received.headers)


async def test_signatures_verify_with_the_library(tmp_path: Path) -> None:
    async with serving(tmp_path, webhook_secret=f"{SECRET} {OTHER}") as server:
        with Receiver(in_turn(500)) as receiver:
            await server.run("chain", {"n": ["ü"]}, webhook=receiver.url())
            received = await receiver.gets(2)
        for each in received:
            assert verified(each, SECRET)["values"]["n"][0] == "ü"
            assert verified(each, OTHER)["status"] == "success"
            with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
                verified(each, "d3Jvbmc=")
            with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
                verified(Received(each.path, {**each.headers, "webhook-id": "other"}, each.raw), SECRET)


@pytest.mark.parametrize("secret", ["whsec_", "not base64!", "whsec_a"])
def test_a_bad_secret_is_told_at_the_start(secret: str) -> None:
    with pytest.raises(ConfigError, match="webhook_secret"):
        WebhookSigner(secret)


# --- what a try means -------------------------------------------------------------------------------------------------

AT = 1_000_000_000_000_000
TAKEN = LeasedDelivery("id", 1, "http://h/x", "http://h", b"{}", AT, 0)


def judged(
    found: PostResponse | Exception, taken: LeasedDelivery = TAKEN, *, jitter: float = 0.0, **settings: Any
) -> Any:
    return try_result(taken, found, Settings(**settings), at=AT, now=AT, took_ms=5, jitter=lambda: jitter)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert (judged(PostResponse(status)).status, judged(PostResponse(status)).next_try_at) == ("delivered", None)


@pytest.mark.parametrize("found", [PostResponse(410), BlockedTargetError("no")])
def test_given_up_at_once(found: Any) -> None:
    assert judged(found).status == "failed"


@pytest.mark.parametrize(
    "found", [PostResponse(400), PostResponse(404), PostResponse(500), PostResponse(301), OSError("x"), TimeoutError()]
)
def test_tried_again(found: Any) -> None:
    assert (judged(found).status, judged(found).next_try_at) == ("pending", AT + 1_000_000)


def test_given_up_when_the_time_is_over() -> None:
    assert judged(PostResponse(500), webhook_retry_seconds=0.5).status == "failed"


def test_the_default_tries_for_a_day() -> None:
    now, failures = 0.0, 0
    while now < Settings().webhook_retry_seconds:
        now += retry_delay(failures, Settings().webhook_backoff_seconds, None, 0.5)
        failures += 1
    assert 25 < failures < 60


@given(
    st.integers(0, 10_000),
    st.floats(0.001, 60),
    st.none() | st.floats(0, 1e9),
    st.floats(0, 1, exclude_max=True),
)
def test_pauses_are_bounded(failures: int, first: float, asked: float | None, jitter: float) -> None:
    found = retry_delay(failures, first, asked, jitter)
    assert min(first / 2, asked or first) <= found <= 3600
    assert retry_delay(failures, first, None, 0.0) <= retry_delay(failures + 1, first, None, 0.0)
