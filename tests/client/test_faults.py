"""What a client does when the server or the network between fails. The server is real; it follows a script."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import pytest

from client.scripted import (
    LOCATION,
    METADATA,
    RUN,
    THREAD,
    Conversation,
    Driver,
    Server,
    answer,
    broken,
    end,
    frame,
    hang_up,
    stream,
)
from treadle import (
    ConflictError,
    ConnectionFailed,
    NotFoundError,
    RateLimitError,
    Retry,
    RunCreated,
    RunFailed,
    RunTimeoutError,
    ServerError,
    StreamTruncated,
    UnavailableError,
)

ONE, TWO = frame(2, "values", {"n": 1}), frame(3, "values", {"n": 2})
ALL = [METADATA, ONE, TWO, end(4)]
NAMES = ["metadata", "values", "values", "end"]
RUN_JSON = {
    "run_id": RUN,
    "thread_id": THREAD,
    "assistant_id": "a",
    "created_at": "2026-11-22T10:00:00+00:00",
    "updated_at": "2026-11-22T10:00:00+00:00",
    "status": "pending",
    "metadata": {},
    "kwargs": {},
    "multitask_strategy": "enqueue",
}


def started(client: Any) -> Any:
    return client.runs.stream(THREAD, "agent", input={"x": 1})


def seqs(events: list[Any]) -> list[int]:
    return [int(event.id.split("-")[1]) for event in events if event.id]


# --- streams ---------------------------------------------------------------------------------------------------------


def test_a_stream_ends_with_its_end_event(driver: Driver) -> None:
    with Server(stream(*ALL)) as server:
        events = driver.collect(server.url, started)
        request = server.requests[0]
    assert [event.event for event in events] == NAMES
    assert events[-1].tags == ("t1",)
    assert (request.headers["treadle-events"], request.headers["accept"]) == ("1", "text/event-stream")


@pytest.mark.parametrize("place", range(1, len(b"".join(ALL)), 7))
def test_wherever_the_connection_is_cut_no_event_is_lost_or_repeated(driver: Driver, place: int) -> None:
    """The server sends what comes strictly after Last-Event-ID, as ours does."""
    data = b"".join(ALL)

    def rest(conversation: Conversation) -> None:
        last = conversation.headers["last-event-id"]
        seen = 0 if last == "-1" else int(last.split("-")[1])
        assert (conversation.method, conversation.target) == ("GET", f"{LOCATION}/stream")
        assert conversation.headers["treadle-events"] == "1"
        stream(*ALL[seen:])(conversation)

    with Server(broken(data[:place]), rest) as server:
        events = driver.collect(server.url, started)
    assert seqs(events) == [1, 2, 3, 4]


def test_events_that_come_again_are_dropped(driver: Driver) -> None:
    with Server(broken(METADATA, ONE), stream(*ALL)) as server:
        assert seqs(driver.collect(server.url, started)) == [1, 2, 3, 4]


@pytest.mark.parametrize("clean", [True, False])
def test_an_end_of_the_body_without_an_end_event_is_a_drop(driver: Driver, clean: bool) -> None:
    with Server((stream if clean else broken)(METADATA, ONE), stream(TWO, end(4))) as server:
        events = driver.collect(server.url, started)
        assert server.requests[1].headers["last-event-id"] == "1700000000002-2"
    assert seqs(events) == [1, 2, 3, 4]
    assert driver.pauses == [0.2]


def test_a_connection_reset_is_a_drop(driver: Driver) -> None:
    def reset(conversation: Conversation) -> None:
        broken(METADATA)(conversation)
        conversation.reset()

    with Server(reset, stream(*ALL[1:])) as server:
        assert seqs(driver.collect(server.url, started)) == [1, 2, 3, 4]


def test_a_cut_before_the_first_byte_is_tried_again_under_the_same_key(driver: Driver) -> None:
    with Server(hang_up, hang_up, stream(*ALL)) as server:
        events = driver.collect(server.url, started)
        keys = {request.headers["idempotency-key"] for request in server.requests}
        assert {request.method for request in server.requests} == {"POST"}
        assert len({request.body for request in server.requests}) == 1
    assert seqs(events) == [1, 2, 3, 4]
    assert len(keys) == 1


def test_a_cut_after_the_headers_is_resumed_from_the_start(driver: Driver) -> None:
    with Server(broken(), stream(*ALL)) as server:
        events = driver.collect(server.url, started)
        assert server.requests[1].method == "GET"
        assert server.requests[1].headers["last-event-id"] == "-1"
    assert seqs(events) == [1, 2, 3, 4]


def test_a_server_that_never_makes_progress_uses_up_the_budget(driver: Driver) -> None:
    with Server(broken(METADATA, ONE), broken(), broken(), broken()) as server:
        with pytest.raises(StreamTruncated, match=r"broke after event 1700000000002-2") as raised:
            driver.collect(server.url, started, retry=Retry(tries=3, random=lambda: 1.0))
        assert len(server.requests) == 4
    assert raised.value.run_id == RUN
    assert driver.pauses == [0.2, 0.4, 0.8]


def test_progress_gives_the_budget_back(driver: Driver) -> None:
    cuts = [broken(METADATA), broken(ONE), broken(TWO), broken(frame(4, "values", {})), stream(end(5))]
    with Server(*cuts) as server:
        events = driver.collect(server.url, started, retry=Retry(tries=1, random=lambda: 1.0))
    assert seqs(events) == [1, 2, 3, 4, 5]


def test_a_connection_that_lived_on_heartbeats_counts_as_progress(driver: Driver) -> None:
    quiet = broken(b": heartbeat\r\n\r\n" * 2)
    with Server(broken(METADATA), quiet, quiet, quiet, stream(*ALL[1:])) as server:
        events = driver.collect(server.url, started, retry=Retry(tries=1))
    assert seqs(events) == [1, 2, 3, 4]


def test_a_silent_stream_counts_as_dropped(driver: Driver) -> None:
    def silent(conversation: Conversation) -> None:
        broken(METADATA, ONE)(conversation)
        conversation.wait_closed()

    with Server(silent, stream(TWO, end(4))) as server:
        events = driver.collect(server.url, started, liveness_seconds=0.2)
    assert seqs(events) == [1, 2, 3, 4]


def test_no_server_at_all_is_a_failed_connection(driver: Driver) -> None:
    with Server() as server:
        pass
    with pytest.raises(ConnectionFailed, match="POST /threads/") as raised:
        driver.collect(server.url, started, retry=Retry(tries=2, random=lambda: 1.0))
    assert not isinstance(raised.value, StreamTruncated)
    assert driver.pauses == [0.2, 0.4]


def test_a_gateways_page_instead_of_a_stream_is_tried_again(driver: Driver) -> None:
    with Server(broken(METADATA), answer("starting up"), stream(*ALL[1:])) as server:
        assert seqs(driver.collect(server.url, started)) == [1, 2, 3, 4]


@pytest.mark.parametrize("foreign", ["http://127.0.0.1:1/x", "//127.0.0.1:1/x", "https://example.invalid/x"])
def test_a_location_on_another_server_is_not_followed(driver: Driver, foreign: str) -> None:
    with Server(broken(METADATA, location=foreign)) as server, pytest.raises(StreamTruncated):
        driver.collect(server.url, started)
    assert driver.pauses == []


def test_a_run_that_fails_is_told_not_raised(driver: Driver) -> None:
    error = frame(2, "error", {"error": "ValueError", "message": "boom"})
    with Server(stream(METADATA, error, end(3, "error"))) as server:
        events = driver.collect(server.url, started)
    assert [event.event for event in events] == ["metadata", "error", "end"]
    assert (events[1].message, events[2].status) == ("boom", "error")


def test_a_gap_is_told(driver: Driver) -> None:
    gap = b'event: gap\r\ndata: {"error":"gap","message":"gone","first_seq":3}\r\n\r\n'
    with Server(stream(gap, TWO, end(4))) as server:
        events = driver.collect(server.url, lambda client: client.runs.join_stream(THREAD, RUN, last_event_id="1-1"))
    assert [event.event for event in events] == ["gap", "values", "end"]


def test_an_error_before_the_stream_is_raised(driver: Driver) -> None:
    with Server(answer({"detail": "busy"}, "409 Conflict")) as server, pytest.raises(ConflictError, match="busy"):
        driver.collect(server.url, started)


def test_a_stream_that_only_says_there_is_no_such_run_is_an_error(driver: Driver) -> None:
    refusal = b'event: error\r\ndata: {"error":"HTTPException","message":"404: Run not found"}\r\n\r\n'
    with Server(stream(refusal)) as server, pytest.raises(NotFoundError, match="Run not found"):
        driver.collect(server.url, lambda client: client.runs.join_stream(THREAD, RUN))


def test_a_run_that_is_gone_when_its_stream_is_resumed_is_an_error(driver: Driver) -> None:
    with (
        Server(broken(METADATA), answer({"detail": "Run not found"}, "404 Not Found")) as server,
        pytest.raises(NotFoundError) as raised,
    ):
        driver.collect(server.url, started)
    assert raised.value.run_id == RUN


def test_a_joined_stream_keeps_its_filters_when_it_is_resumed(driver: Driver) -> None:
    def join(client: Any) -> Any:
        modes = ["values", "custom"]
        return client.runs.join_stream(None, RUN, stream_mode=modes, last_event_id="5-1", headers={"x-a": "b"})

    with Server(broken(ONE), stream(TWO, end(4))) as server:
        events = driver.collect(server.url, join)
        first, second = server.requests
    assert seqs(events) == [2, 3, 4]
    assert first.target == second.target
    assert httpx.URL(first.target).path == f"/runs/{RUN}/stream"
    assert httpx.URL(first.target).params.get_list("stream_mode") == ["values", "custom"]
    assert (first.headers["last-event-id"], second.headers["last-event-id"]) == ("5-1", "1700000000002-2")
    assert second.headers["x-a"] == "b"


def test_nothing_comes_after_the_end(driver: Driver) -> None:
    with Server(stream(), stream(end(4))) as server:
        last = "1700000000004-4"
        events = driver.collect(server.url, lambda client: client.runs.join_stream(THREAD, RUN, last_event_id=last))
        assert [request.headers["last-event-id"] for request in server.requests] == [last, "0-3"]
    assert events == []


def test_sub_graphs_can_be_left_out(driver: Driver) -> None:
    inner = frame(2, "values|sub:1", {"n": 1})
    with Server(stream(METADATA, inner, TWO, end(4))) as server:
        events = driver.collect(server.url, lambda client: client.runs.join_stream(THREAD, RUN, stream_subgraphs=False))
    assert seqs(events) == [1, 3, 4]


def test_the_run_is_known_as_soon_as_the_headers_are(driver: Driver) -> None:
    told = threading.Event()
    made: list[RunCreated] = []

    def created(run: RunCreated) -> None:
        made.append(run)
        told.set()

    def patient(conversation: Conversation) -> None:
        conversation.open_stream()
        assert told.wait(10)
        conversation.chunk(b"".join(ALL))
        conversation.finish()

    with Server(patient) as server:
        driver.collect(server.url, lambda client: client.runs.stream(THREAD, "a", on_run_created=created))
    assert made == [RunCreated(RUN, THREAD)]


# --- calls -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"])
def test_a_call_is_repeated_under_the_same_key(driver: Driver, status: str) -> None:
    with Server(answer({}, status), hang_up, answer(RUN_JSON)) as server:
        run = driver.run(server.url, lambda client: client.runs.create(THREAD, "agent"))
        assert len({request.headers["idempotency-key"] for request in server.requests}) == 1
    assert run.run_id == RUN
    assert driver.pauses == [0.2, 0.4]


def test_retry_after_is_honoured(driver: Driver) -> None:
    with Server(answer({}, "429 Too Many Requests", retry_after="7"), answer(RUN_JSON)) as server:
        driver.run(server.url, lambda client: client.runs.get(THREAD, RUN))
    assert driver.pauses == [7]


def test_a_server_that_stays_busy_is_an_error_of_its_kind(driver: Driver) -> None:
    with (
        Server(*[answer({"detail": "slow down"}, "429 Too Many Requests")] * 3) as server,
        pytest.raises(RateLimitError, match="slow down"),
    ):
        driver.run(server.url, lambda client: client.runs.get(THREAD, RUN), retry=Retry(tries=2))
    with (
        Server(answer({"detail": "draining"}, "503 Service Unavailable", retry_after="3600")) as server,
        pytest.raises(UnavailableError),
    ):
        driver.run(server.url, lambda client: client.runs.get(THREAD, RUN))


def test_other_errors_are_not_retried(driver: Driver) -> None:
    with Server(answer({"detail": "oh"}, "500 Internal Server Error")) as server, pytest.raises(ServerError):
        driver.run(server.url, lambda client: client.runs.get(THREAD, RUN))
    assert driver.pauses == []


def test_a_truncated_body_is_asked_for_again(driver: Driver) -> None:
    def truncated(conversation: Conversation) -> None:
        conversation.head("200 OK", {"content-length": "100"})
        conversation.send(b'{"run_id"')

    with Server(truncated, answer(RUN_JSON)) as server:
        assert driver.run(server.url, lambda client: client.runs.get(THREAD, RUN)).run_id == RUN


def test_what_must_not_happen_twice_is_not_repeated_once_it_may_have_happened(driver: Driver) -> None:
    def update(client: Any) -> Any:
        return client.threads.update_state(THREAD, {"x": 1})

    with Server(hang_up) as server, pytest.raises(ConnectionFailed):
        driver.run(server.url, update)
    with Server(answer({}, "502 Bad Gateway")) as server, pytest.raises(ServerError):
        driver.run(server.url, update)
    with Server(answer({}, "503 Service Unavailable"), answer({"checkpoint": {}})) as server:
        assert driver.run(server.url, update) == {"checkpoint": {}}


@pytest.mark.parametrize("call", ["delete", "cancel"])
def test_a_404_after_a_lost_answer_means_it_was_done(driver: Driver, call: str) -> None:
    gone = answer({"detail": "Run not found"}, "404 Not Found")
    with Server(hang_up, gone) as server:
        assert driver.run(server.url, lambda client: getattr(client.runs, call)(THREAD, RUN)) is None
    for first in ([], [answer({}, "503 Service Unavailable")]):
        with Server(*first, gone) as server, pytest.raises(NotFoundError):
            driver.run(server.url, lambda client: getattr(client.runs, call)(THREAD, RUN))


# --- waiting ---------------------------------------------------------------------------------------------------------


def kept_waiting(*parts: bytes, finish: bool = True) -> Any:
    def script(conversation: Conversation) -> None:
        names = {"content-location": LOCATION, "location": f"{LOCATION}/join", "transfer-encoding": "chunked"}
        conversation.head("200 OK", {"content-type": "application/json", **names})
        for part in parts:
            conversation.chunk(part)
        if finish:
            conversation.finish()

    return script


def wait(client: Any, **options: Any) -> Any:
    return client.runs.wait(THREAD, "agent", input={}, **options)


def test_the_final_state_may_come_after_keep_alives(driver: Driver) -> None:
    made: list[RunCreated] = []
    with Server(kept_waiting(b"\n", b"\n", b'{"n"', b":1}")) as server:
        assert driver.run(server.url, lambda client: wait(client, on_run_created=made.append)) == {"n": 1}
    assert made == [RunCreated(RUN, THREAD)]


@pytest.mark.parametrize("parts", [[], [b"\n"], [b"\n", b'{"n"']])
@pytest.mark.parametrize("finish", [True, False])
def test_a_cut_wait_goes_on_as_a_join(driver: Driver, parts: list[bytes], finish: bool) -> None:
    with Server(kept_waiting(*parts, finish=finish), hang_up, answer({"n": 2})) as server:
        assert driver.run(server.url, wait) == {"n": 2}
        assert [(request.method, request.target) for request in server.requests[1:]] == [
            ("GET", f"{LOCATION}/join")
        ] * 2
    assert len(driver.pauses) == 2


def test_a_wait_that_never_reached_the_server_is_made_again(driver: Driver) -> None:
    with Server(hang_up, kept_waiting(b"1")) as server:
        assert driver.run(server.url, wait) == 1
        first, second = server.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_a_wait_does_not_follow_a_location_on_another_server(driver: Driver) -> None:
    def foreign(conversation: Conversation) -> None:
        conversation.head("200 OK", {"location": "http://127.0.0.1:1/x", "transfer-encoding": "chunked"})

    with Server(foreign) as server, pytest.raises(ConnectionFailed, match="cut"):
        driver.run(server.url, wait)


def test_a_failed_run_is_raised_or_returned(driver: Driver) -> None:
    failed = {"__error__": {"error": "ValueError", "message": "boom"}}
    with (
        Server(kept_waiting(json.dumps(failed).encode())) as server,
        pytest.raises(RunFailed, match="ValueError: boom") as raised,
    ):
        driver.run(server.url, wait)
    assert (raised.value.run_id, raised.value.thread_id) == (RUN, THREAD)
    with Server(answer(failed)) as server:
        assert driver.run(server.url, lambda client: client.runs.join(THREAD, RUN, raise_error=False)) == failed


def test_waiting_ends_at_its_timeout_and_closes_the_connection(driver: Driver) -> None:
    def forever(conversation: Conversation) -> None:
        kept_waiting(b"\n", finish=False)(conversation)
        conversation.wait_closed()

    with Server(forever) as server:
        with pytest.raises(RunTimeoutError, match=RUN) as raised:
            driver.run(server.url, lambda client: wait(client, timeout=0.2))
        assert server.finished.get(timeout=10) == 1
    assert isinstance(raised.value, TimeoutError)
    assert (raised.value.run_id, raised.value.thread_id) == (RUN, THREAD)


def test_the_timeout_also_counts_before_the_headers_and_between_tries(driver: Driver) -> None:
    with Server(Conversation.wait_closed) as server, pytest.raises(RunTimeoutError):
        driver.run(server.url, lambda client: wait(client, timeout=0.2))
    with Server(answer({}, "503 Service Unavailable", retry_after="50")) as server, pytest.raises(RunTimeoutError):
        driver.run(server.url, lambda client: wait(client, timeout=0.2), sleep=None)


def test_the_final_state_is_decoded_into_the_type_asked_for(driver: Driver) -> None:
    with Server(answer({"1": 2})) as server:
        found = driver.run(server.url, lambda client: client.runs.join(THREAD, RUN, state_type=dict[int, int]))
    assert found == {1: 2}
