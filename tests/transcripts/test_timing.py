"""Replays of recorded exchanges in which time matters: runs cancelled, abandoned, superseded, joined or delivered.

The recorder made some requests concurrently; ``CAST`` lists the steps that were still open when the next one began.
Reads are repeated until they match the recording, for ``SECONDS`` at most. ``DIFFERENT`` lists every deliberate
difference: the status here, and the id of the requirement with the reason.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.requirements import ROWS
from support.server import Frame, Running, frames, running
from support.webhook_receiver import Receiver, in_turn
from transcripts.test_runs import Names, ask, headers

HERE = Path(__file__).parent / "timing"
SECONDS = 8.0

SLOW = {"heartbeat_stream_idle": "23 seconds of silence; heartbeats are tested with a shorter beat in streams"}
"""Recordings that are not replayed, with the reason."""

CAST: dict[str, dict[int, int]] = {
    "multitask_None": {0: 2, 1: 0},
    "multitask_enqueue": {0: 2, 1: 0},
    "multitask_interrupt": {0: 4, 1: 0},
    "stream_cancelled_externally_interrupt": {0: 7},
    "stream_cancelled_externally_rollback": {0: 5},
    "wait_rolledback_externally": {0: 0},
}
"""Steps that stay open during the next ones, and the number of events they have received by then."""

RUNNING = {
    "cancel_running_wait0_interrupt": (1,),
    "cancel_running_wait0_rollback": (1,),
    "cancel_running_wait1_interrupt": (1,),
    "wait_rolledback_externally": (1,),
    "webhook_delivery": (11, 14),
}
"""Steps that wait until the run has saved its first state."""

LEFT_OUT = {"crons": {2: "rules.null", 9: "crons.end_time", 23: "crons.end_time"}}
"""Skipped steps, whose results would change later counts, with the requirement that explains it."""

TICKING = {"assistant_id": "ticker", "input": {"tokens": 2}, "stream_mode": ["custom", "values"]}
ONE_TICK = {"assistant_id": "ticker", "input": {"tokens": 1}}
MEANWHILE: dict[str, dict[int, dict[str, Any]]] = {
    "thread_stream": dict.fromkeys((0, 1, 3, 4, 5), TICKING),
    "thread_stream_modes_param": {0: ONE_TICK, 1: ONE_TICK, 2: ONE_TICK},
}
"""Runs that the recorder created once a stream of their thread was open."""

BEFORE: dict[str, dict[str, Any]] = {
    "stream_modes_join_query_variants": {
        **TICKING,
        "stream_mode": ["custom", "values", "updates"],
        "stream_resumable": True,
    }
}
"""A run that the recorder created before each step, and waited for."""

AT_ONCE = "runs.create.starts_at_once"
FROM_THE_START = "joining.without_an_id"
TOTAL = "rules.pagination_total"
RUN_NAMED = "cancelling.interrupt.thread"
FREE = "cancelling.rollback.thread_is_free"
SELECT = "threads.history.select"

DIFFERENT: dict[str, dict[int, tuple[int, str]]] = {
    "after_seconds": {10: (200, "runs.list.order")},
    "cancel_many": {10: (422, "cancelling.many.refusals")},
    "cancel_running_wait0_interrupt": {4: (200, RUN_NAMED)},
    "cancel_running_wait0_rollback": {4: (200, FREE)},
    "cancel_running_wait1_interrupt": {3: (200, RUN_NAMED)},
    "crons": {
        5: (422, "crons.schedule"),
        **dict.fromkeys((10, 11, 16), (200, "crons.end_time")),
        14: (200, TOTAL),
    },
    "disconnect_stateless_stream_None": {1: (200, TOTAL)},
    "disconnect_stateless_stream_cancel": {1: (200, TOTAL)},
    "disconnect_stateless_stream_continue": {1: (200, TOTAL)},
    "headers_misc": {1: (200, AT_ONCE), 2: (200, TOTAL), 3: (200, AT_ONCE)},
    "join_cancel_on_disconnect_0": {1: (200, FROM_THE_START)},
    "join_cancel_on_disconnect_1": {1: (200, FROM_THE_START)},
    "join_cancel_on_disconnect_false": {1: (200, FROM_THE_START)},
    "join_cancel_on_disconnect_true": {1: (200, FROM_THE_START)},
    "join_stream_live_nonresumable": dict.fromkeys((1, 2, 3, 4), (200, FROM_THE_START)),
    "lookup_thread_stuck_after_rollback": {2: (200, FREE), 5: (200, FREE)},
    "multitask_None": {6: (200, SELECT)},
    "multitask_enqueue": {6: (200, SELECT)},
    "multitask_interrupt": {2: (200, AT_ONCE), 6: (200, SELECT)},
    "multitask_reject": {7: (200, AT_ONCE)},
    "stream_modes_join_query_variants": {1: (200, "joining.stream_mode.lists")},
    "thread_stream": {3: (200, "thread_stream.names"), 4: (422, "thread_stream.names")},
    "wait_rolledback_externally": {0: (200, "cancelling.rollback.waiter"), 3: (404, "joining.unknown_run")},
    "webhook_delivery": {12: (200, RUN_NAMED), 15: (200, RUN_NAMED)},
    "webhook_validation": {6: (200, "rules.null")},
}


@dataclass
class Play:
    """One replay: the values of the placeholders, and the open steps."""

    server: Running
    name: str
    names: Names = field(default_factory=Names)
    open: dict[int, asyncio.Task[list[str]]] = field(default_factory=dict)

    async def step(self, index: int, step: dict[str, Any]) -> None:
        await self.prepare(index, step)
        if (shown := CAST.get(self.name, {}).get(index)) is not None:
            await self.begin(index, step, shown)
        elif step.get("left") and self.status(index, step) < 400:
            self.check(index, step, await self.leave(index, step))
        else:
            await self.exchange(index, step)

    async def prepare(self, index: int, step: dict[str, Any]) -> None:
        """Create the objects that existed before the recording."""
        for name in re.findall(r"/threads/(<uuid:\d+>)/", step["path"]):
            if name not in self.names.bound and not (step["status"] == 404 and "crons" in step["path"]):
                self.names.bound[name] = await self.server.thread()
        if run := BEFORE.get(self.name):
            thread, name = re.findall(r"<uuid:\d+>", step["path"])
            path = await self.server.run(
                run["assistant_id"],
                run["input"],
                thread_id=self.names.bound[thread],
                **{key: value for key, value in run.items() if key not in ("assistant_id", "input")},
            )
            self.names.bound[name] = path.rpartition("/")[2]
            await self.server.ended(path)
        if index in RUNNING.get(self.name, ()):
            await self.saved(self.names.fill(step["path"]).split("/")[2])

    async def saved(self, thread_id: str) -> None:
        async with asyncio.timeout(SECONDS):
            while not (await self.server.get(f"/threads/{thread_id}/state"))["values"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def begin(self, index: int, step: dict[str, Any], shown: int) -> None:
        ready = asyncio.Event()
        self.open[index] = asyncio.create_task(self.follow(step, shown, ready))
        async with asyncio.timeout(SECONDS):
            await ready.wait()

    async def follow(self, step: dict[str, Any], shown: int, ready: asyncio.Event) -> list[str]:
        """Read a stream or a result to its end during other steps; return the differences."""
        async with self.server.http.stream("POST", self.names.fill(step["path"]), json=step["json"]) as answer:
            differences = headers(self.names, step, answer)
            body = b""
            if not shown:
                ready.set()
            async for piece in answer.aiter_raw():
                body += piece
                if body.count(b"\r\n\r\n") >= shown:
                    ready.set()
            if "sse" not in step:
                return [*differences, *self.names.differences(step["body"], json.loads(body))]
            return [*differences, *self.streamed(step["sse"], list(events(body)))]

    def streamed(self, recorded: list[list[Any]], got: list[list[Any]]) -> list[str]:
        """A stopped run may have sent a few more or fewer events by then; compare the common ones."""
        same = min(len(recorded), len(got)) if self.name.startswith("stream_cancelled") else None
        return self.names.differences(*without_ids(recorded[:same], got[:same]))

    async def leave(self, index: int, step: dict[str, Any]) -> list[str]:
        """Open a stream, read the recorded number of events, and disconnect."""
        recorded = [] if index in DIFFERENT.get(self.name, {}) else step.get("sse") or []
        async with AsyncExitStack() as stack:
            answer = await stack.enter_async_context(self.opened(step))
            assert answer.status_code == step["status"], await answer.aread()
            differences = headers(self.names, step, answer)
            if run := MEANWHILE.get(self.name, {}).get(index):
                thread = self.names.fill(step["path"]).split("/")[2]
                await self.server.ended(
                    await self.server.run(
                        thread_id=thread,
                        graph=run["assistant_id"],
                        **{key: value for key, value in run.items() if key != "assistant_id"},
                    )
                )
            got = await self.first(answer, len(recorded))
        return [*differences, *self.names.differences(*without_ids(recorded, got))]

    async def first(self, answer: httpx.Response, count: int) -> list[list[Any]]:
        body = b""
        if count:
            async with asyncio.timeout(SECONDS):
                async for piece in answer.aiter_raw():
                    body += piece
                    if len(list(events(body))) >= count:
                        break
        return list(events(body))[:count]

    def opened(self, step: dict[str, Any]) -> Any:
        return self.server.http.stream(
            step["method"],
            self.names.fill(step["path"]),
            params=step.get("query"),
            headers=self.names.fill(step.get("headers") or {}),
            json=self.names.fill(step.get("json")),
        )

    async def exchange(self, index: int, step: dict[str, Any]) -> None:
        """Make an ordinary request. Repeat a read until the response matches the recording."""
        reads = step["method"] == "GET" or "search" in step["path"]
        tries = int(SECONDS / 0.05) if reads and index not in DIFFERENT.get(self.name, {}) else 1
        for left in reversed(range(tries)):
            names = copy.deepcopy(self.names)
            answer = await self.request(step)
            differences = self.compared(index, step, answer)
            if not differences or not left:
                break
            self.names = names
            await asyncio.sleep(0.05)
        self.check(index, step, differences)

    async def request(self, step: dict[str, Any]) -> httpx.Response:
        if content := re.fullmatch(r"<(\d+) bytes>", step.get("content", "")):
            step = {**step, "content": padded(int(content[1]))}
        return await ask(self.server, self.names, step)

    def compared(self, index: int, step: dict[str, Any], answer: httpx.Response) -> list[str]:
        status = self.status(index, step)
        if answer.status_code != status:
            return [f"status {answer.status_code}, not {status}: {answer.text[:300]}"]
        if status >= 400:
            return [] if {"detail", "code"} <= answer.json().keys() else [f"no error: {answer.text}"]
        if index in DIFFERENT.get(self.name, {}) or "text" in step:
            return []
        differences = headers(self.names, step, answer)
        if "sse" in step:
            return [*differences, *self.names.differences(*without_ids(step["sse"], list(events(answer.content))))]
        return [*differences, *self.names.differences(step.get("body"), answer.json() if answer.content else None)]

    def status(self, index: int, step: dict[str, Any]) -> int:
        return DIFFERENT.get(self.name, {}).get(index, (step["status"], ""))[0]

    def check(self, index: int, step: dict[str, Any], differences: list[str]) -> None:
        if index in DIFFERENT.get(self.name, {}) and self.status(index, step) < 400:
            return
        assert not differences, f"step {index} {step['method']} {step['path']} {step.get('note', '')}: {differences}"

    async def end(self, steps: list[dict[str, Any]]) -> None:
        for index, task in self.open.items():
            async with asyncio.timeout(SECONDS):
                self.check(index, steps[index], await task)


def events(body: bytes) -> Iterator[list[Any]]:
    """Yield the complete frames at the start of a body, without comments."""
    whole = body[: body.rindex(b"\r\n\r\n") + 4] if b"\r\n\r\n" in body else b""
    yield from (part(frame) for frame in frames(whole) if frame.event)


def part(frame: Frame) -> list[Any]:
    return [frame.event, frame.data, frame.id]


def without_ids(recorded: list[list[Any]], got: list[list[Any]]) -> tuple[list[Any], list[Any]]:
    """Compare ids only if the recording has them, because treadle sends one with every event."""
    if any(len(event) > 2 for event in recorded):
        return recorded, got
    return recorded, [event[:2] for event in got]


def padded(size: int) -> str:
    """Return a request body of this many bytes."""
    body = {"assistant_id": "chain", "input": {"n": [""]}}
    body["input"] = {"n": ["x" * (size - len(json.dumps(body)))]}
    return json.dumps(body)


def load(name: str, sink: str = "") -> list[dict[str, Any]]:
    """Return the steps, with webhooks to ``sink`` instead of a route of the recorder's server.

    The payload of a cron names the assistant as in the request (requirement crons.payload)."""
    text = (HERE / f"{name}.json").read_text().replace('"webhook":"/sink', f'"webhook":"{sink}/sink')
    return json.loads(re.sub(r'"payload":{"assistant_id":"[^"]*"', '"payload":{"assistant_id":"chain"', text))


SCENARIOS = sorted({path.stem for path in HERE.glob("*.json")} - {*SLOW, "webhook_delivery"})


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_recorded_exchange(server: Running, name: str) -> None:
    steps = load(name)

    play = Play(server, name)
    for index, step in enumerate(steps):
        if index not in LEFT_OUT.get(name, {}):
            await play.step(index, step)
    await play.end(steps)


async def test_webhooks_match_the_recording(tmp_path: Path) -> None:
    """Every kind of ending, and a receiver that fails twice."""
    failing = in_turn(500, 500)
    with Receiver(lambda got: failing(got) if got.path == "/sink/fail1" else 200) as receiver:
        steps = load("webhook_delivery", receiver.url(""))

        async with running(tmp_path, webhook_allow_private=True, webhook_backoff_seconds=0.05) as server:
            play = Play(server, "webhook_delivery")
            for index, step in enumerate(steps):
                if step["path"].startswith("/sink/"):
                    await arrived(play, receiver, index, step)
                else:
                    await play.step(index, step)


async def arrived(play: Play, receiver: Receiver, index: int, step: dict[str, Any]) -> None:
    """The receiver gets the recorded deliveries."""
    recorded = step["body"]
    got = await receiver.gets(len(recorded), where=lambda each: each.path.partition("?")[0] == step["path"])
    prefix = receiver.url("/sink")
    for theirs, ours in zip(recorded, got, strict=True):
        assert ours.headers["content-type"] == theirs["headers"]["content-type"]
        body = json.loads(theirs["raw"].replace(":<ms>", ':"<ms>"').replace('"webhook":"/sink', f'"webhook":"{prefix}'))
        play.check(index, step, play.names.differences(body, ours.body))


def test_every_difference_is_a_row_of_the_manifest() -> None:
    known = {row.id for row in ROWS if row.divergence}
    named = {id for steps in DIFFERENT.values() for _, id in steps.values()}
    named |= {id for steps in LEFT_OUT.values() for id in steps.values()}
    assert named - known == set()
