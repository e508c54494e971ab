"""Many runs on many threads, killed at random instants (seeded); afterwards the history is checked as a whole."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from e2e.faults.api import TERMINAL, Api, Listener, attempts, check_log, without_rows_of
from support.gates import Gates
from support.server_process import until
from treadle.sse import Frame

THREADS = 8
CANCELLING = 2
"""Threads, of those, whose runs are cancelled at random too."""
ROUNDS = 9
RUNS = 4
"""Runs created on each thread in each round."""
LONGEST_SECONDS = 40.0


@dataclass
class History:
    """What clients were told: the runs of each thread in the order of their creation, and the events they saw."""

    runs: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    keys: dict[str, str] = field(default_factory=dict)
    cancelled: dict[str, str] = field(default_factory=dict)
    seen: dict[str, list[Frame]] = field(default_factory=dict)


def test_every_acknowledged_run_survives_kills_at_random_instants(start: Callable[..., Api], gates: Gates) -> None:
    api = start(max_attempts=1000)
    chance, history = random.Random(20), History()
    threads = [api.new_thread() for _ in range(THREADS)]
    deadline = time.monotonic() + LONGEST_SECONDS
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(ROUNDS):
            unanswered = one_round(api, pool, chance, history, threads, number)
            api.server.start()
            for body in unanswered:
                answer = httpx.post(url(api, body), **sent(body), trust_env=False, timeout=20).raise_for_status().json()
                note(history, body, answer)
            if time.monotonic() > deadline:
                break
    for thread_id in threads:
        api.rested(thread_id, 60)
    for index, thread_id in enumerate(threads):
        check_thread(api, gates, history, thread_id, cancelling=index < CANCELLING)
    assert api.rows("SELECT count(*) FROM runs WHERE status IN ('pending', 'running')") == [(0,)]
    assert max(effect.attempt for effect in gates.effects()) > 1, "no kill hit a run"


def one_round(
    api: Api, pool: ThreadPoolExecutor, chance: random.Random, history: History, threads: list[str], number: int
) -> list[dict[str, Any]]:
    """Creates runs on all threads, and kills the server meanwhile. Returns the requests that got no answer."""
    bodies = {thread_id: [body_of(chance, thread_id, f"{number}.{n}") for n in range(RUNS)] for thread_id in threads}
    instant = time.monotonic() + chance.uniform(0.02, 0.5)
    work = [
        pool.submit(create_all, api, history, bodies[each], random.Random(chance.random()), index < CANCELLING)
        for index, each in enumerate(threads)
    ]
    until(lambda: history.runs or all(one.done() for one in work), 10)
    listeners = listen(api, history, threads)
    time.sleep(max(0.0, instant - time.monotonic()))  # the instant of the kill, not a synchronisation
    api.server.kill()
    unanswered = [body for one in work for body in one.result()]
    for run_id, listener in listeners.items():
        history.seen[run_id] = listener.join().frames
    return unanswered


def body_of(chance: random.Random, thread_id: str, name: str) -> dict[str, Any]:
    key = f"{thread_id}-{name}"
    graph = chance.choice(["steps", "steps", "nested"])
    body = {
        "assistant_id": graph,
        "input": {"key": key, "said": [key]},
        "durability": chance.choice(["sync", "async", "exit"]),
        "stream_mode": ["values", "custom"],
    }
    return {"thread_id": thread_id, "key": key, "body": body}


def create_all(
    api: Api, history: History, bodies: list[dict[str, Any]], chance: random.Random, cancelling: bool
) -> list[dict[str, Any]]:
    """Creates one run after another; what got no answer is returned, in order, and nothing is sent after it."""
    with httpx.Client(trust_env=False, timeout=20) as http:
        for index, body in enumerate(bodies):
            try:
                answer = http.post(url(api, body), **sent(body)).raise_for_status().json()
                note(history, body, answer)
                if cancelling and chance.random() < 0.5:
                    cancel(http, api, history, answer, chance.choice(["interrupt", "rollback"]))
            except httpx.TransportError:
                # The one cut off may have been accepted; with its idempotency key it is asked for again.
                return bodies[index:] if body["key"] not in history.keys.values() else bodies[index + 1 :]
    return []


def url(api: Api, body: dict[str, Any]) -> str:
    return api.url(f"/threads/{body['thread_id']}/runs")


def sent(body: dict[str, Any]) -> dict[str, Any]:
    return {"json": body["body"], "headers": {"idempotency-key": body["key"]}}


def note(history: History, body: dict[str, Any], answer: Any) -> None:
    history.runs[body["thread_id"]].append(answer["run_id"])
    history.keys[answer["run_id"]] = body["key"]


def cancel(http: httpx.Client, api: Api, history: History, run: Any, action: str) -> None:
    path = f"/threads/{run['thread_id']}/runs/{run['run_id']}/cancel"
    try:
        answer = http.post(api.url(path), params={"action": action})
    except httpx.TransportError:
        history.cancelled[run["run_id"]] = "unknown"
        raise
    assert answer.status_code in (202, 404), answer.text
    if answer.status_code == 202:
        history.cancelled[run["run_id"]] = action


def listen(api: Api, history: History, threads: list[str]) -> dict[str, Listener]:
    """A reader of the newest run of each thread."""
    newest = [history.runs[thread_id][-1] for thread_id in threads if history.runs[thread_id]]
    readers = {run_id: Listener(api.url(f"/runs/{run_id}/stream")) for run_id in newest}
    for reader in readers.values():
        reader.start()
    return readers


def check_thread(api: Api, gates: Gates, history: History, thread_id: str, *, cancelling: bool) -> None:
    runs = history.runs[thread_id]
    left = {run["run_id"]: run for run in api.runs(thread_id)}
    said = api.values(thread_id)["said"]
    applied = [run_id for run_id in runs if history.keys[run_id] in said]
    assert said == [history.keys[run_id] for run_id in applied], "applied once each, in the order of creation"
    if not cancelling:
        assert list(left) == runs
        assert applied == runs
        assert {run["status"] for run in left.values()} == {"success"}
    for run_id in runs:
        if run_id in left:
            check_run(api, history, left[run_id])
        else:
            assert history.cancelled.get(run_id) in ("rollback", "unknown")
            without_rows_of(api.server, run_id)
    began = [effect.run_id for effect in gates.effects() if effect.thread_id == thread_id and effect.place == "a"]
    first = list(dict.fromkeys(began))
    assert first == [run_id for run_id in runs if run_id in first], "runs of a thread began in the order of creation"


def check_run(api: Api, history: History, run: Any) -> None:
    """One terminal status, a whole log, and nothing that a client saw has changed."""
    run_id, mark = run["run_id"], history.cancelled.get(run["run_id"])
    assert run["status"] in TERMINAL
    assert run["status"] == ("success" if mark is None else "interrupted") or mark == "unknown"
    frames = api.log(run["thread_id"], run_id)
    check_log(frames, status=run["status"])
    numbers = attempts(frames)
    assert numbers == list(range(1, len(numbers) + 1))
    seen = history.seen.get(run_id, [])
    assert frames[: len(seen)] == seen
    assert all(json.loads(frame.data)["run_id"] == run_id for frame in frames if frame.event in ("metadata", "end"))
