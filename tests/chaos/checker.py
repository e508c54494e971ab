"""The history checker: what clients were told against what the API and the database hold once everything is quiet."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import httpx

from chaos.client import seq_of
from chaos.deployment import Deployment
from chaos.history import Asked, History
from treadle.sse import Decoder, Frame

TERMINAL = ("success", "error", "timeout", "interrupted")
LAYERS = {
    "chain": (("a",), ("b",), ("c",)),
    "made": (("a",), ("b",), ("c",)),
    "nested": (("a",), ("c",)),
    "fan": (("a",), ("b1", "b2", "b3"), ("c",)),
    "asking": (("a",),),
}
"""The nodes that leave a trail in the thread's state, in the order of the supersteps."""
OF_THREAD = "thread:"
"""What no run says stands in the log under the thread's name."""


class Row(NamedTuple):
    """A run in the database."""

    position: int
    run_id: str
    thread_id: str
    token: str
    status: str
    attempt: int
    event_seq: int
    temporary: bool


class Chunk(NamedTuple):
    run_id: str
    first: int
    last: int
    thread_id: str
    thread_seq: int
    attempt: int


class Checker:
    """``check`` adds what it finds to the history's violations. The deployment is whole, and nothing is under way."""

    def __init__(self, deployment: Deployment, history: History) -> None:
        self.deployment = deployment
        self.history = history
        self.rows: dict[str, Row] = {}
        self.chunks: dict[str, list[Chunk]] = defaultdict(list)
        self.threads: dict[str, str] = {}
        self.logs: dict[str, list[Frame]] = {}
        self._clock_jumped = any(fault.kind == "clock jump" for fault in history.faults)

    async def check(self) -> None:
        self._load()
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
            await self._read_logs(http)
            self._check_rows()
            for asked in self.history.asked:
                self._check_asked(asked)
            for thread_id in self.history.threads:
                await self._check_thread(http, thread_id)
        self._check_leftovers()

    # reading

    def _load(self) -> None:
        rows = self.deployment.rows
        found = rows("SELECT position, run_id, thread_id, metadata, status, attempt, event_seq, temporary FROM runs")
        for position, run_id, thread_id, metadata, status, attempt, event_seq, temporary in found:
            token = _json(metadata).get("token", "")
            row = Row(position, run_id, thread_id, token, status, attempt, event_seq, bool(temporary))
            self.rows[str(run_id)] = row
        sql = "SELECT run_id, first_seq, last_seq, thread_id, thread_seq, attempt FROM event_chunks"
        for values in sorted(map(Chunk._make, rows(sql)), key=lambda chunk: (chunk.run_id, chunk.first)):
            self.chunks[values.run_id].append(values)
        self.threads = dict(rows("SELECT thread_id, status FROM threads"))

    async def _read_logs(self, http: httpx.AsyncClient) -> None:
        """Of every run, through every API process: they must agree."""
        for row in self.rows.values():
            logs = [await _log(http, f"{url}/runs/{row.run_id}/stream") for url in self.deployment.direct_urls]
            self.logs[row.run_id] = logs[0]
            if any(log != logs[0] for log in logs):
                self._wrong(f"two API processes tell different logs of run {row.run_id} ({row.token})")

    # what holds of each run in the database

    def _check_rows(self) -> None:
        tokens = Counter(row.token for row in self.rows.values())
        known = {asked.token for asked in self.history.asked}
        for token, count in tokens.items():
            if count > 1:
                self._wrong(f"{count} runs were made of one request: {token}")
            if token not in known:
                self._wrong(f"a run that nobody asked for: {token!r}")
        for row in self.rows.values():
            if row.status not in TERMINAL:
                self._wrong(f"run {row.run_id} ({row.token}) is still {row.status} when everything has come to rest")
            self._check_log(row)

    def _check_log(self, row: Row) -> None:
        log, chunks = self.logs[row.run_id], self.chunks[row.run_id]
        self._is(row, [seq_of(frame) for frame in log], list(range(1, len(log) + 1)), "the numbers of its events")
        stamps = [frame.id.split("-")[0] for frame in log if frame.id]
        if stamps != sorted(stamps, key=int) and not self._clock_jumped:
            self._wrong(f"ids of run {row.token} do not sort: {[frame.id for frame in log]}")
        ends = [json.loads(frame.data)["status"] for frame in log if frame.event == "end"]
        self._is(row, ends, [row.status], "its terminal events")
        if log and log[-1].event != "end":
            self._wrong(f"run {row.token}: its last event is {log[-1].event}")
        self._is(row, row.event_seq, len(log), "the row's count of events")
        spans = [number for chunk in chunks for number in range(chunk.first, chunk.last + 1)]
        self._is(row, spans, list(range(1, len(log) + 1)), "the numbers in the tables")
        by = [chunk.attempt for chunk in chunks]
        if by != sorted(by):
            self._wrong(f"run {row.token}: an earlier attempt wrote after a later one, {by}")
        self._check_attempts(row, log)

    def _check_attempts(self, row: Row, log: list[Frame]) -> None:
        """Attempts are announced 1, 2, 3, and what a node said is by the attempt that was the holder."""
        holder, announced = 0, list[int]()
        said: Counter[tuple[str, str, int]] = Counter()
        for frame in log:
            data = json.loads(frame.data)
            if frame.event == "metadata":
                holder = data["attempt"]
                announced.append(holder)
            elif frame.event.partition("|")[0] == "custom":
                said[(data["token"], data["node"], data["attempt"])] += 1
                self._is(row, data["attempt"], holder, f"the attempt that wrote {frame.id}")
                self._is(
                    row, data["n"], said[(data["token"], data["node"], data["attempt"])] - 1, f"order at {frame.id}"
                )
        self._is(row, announced, list(range(1, len(announced) + 1)), "its attempts")
        self._is(row, row.attempt, len(announced), "the row's attempt")

    # what holds of each request

    def _check_asked(self, asked: Asked) -> None:
        if len(set(asked.run_ids)) > 1:
            self._wrong(f"one idempotency key, several runs: {asked.run_ids}", asked)
        row = self._row_of(asked)
        if row is None:
            if asked.acknowledged and not self._may_be_gone(asked):
                self._wrong("an acknowledged run is not there", asked)
            if asked.acknowledged:
                self._check_gone(asked)
        else:
            self._check_status(asked, row)
            self._check_results(asked, row)
        self._check_views(asked)

    def _row_of(self, asked: Asked) -> Row | None:
        if asked.run_id is not None:
            return self.rows.get(asked.run_id)
        return next((row for row in self.rows.values() if row.token == asked.token), None)

    def _check_status(self, asked: Asked, row: Row) -> None:
        done = {change.action for change in asked.changes if change.answered == "yes"}
        tried = {change.action for change in asked.changes if change.answered != "no"}
        if asked.refused:
            self._wrong("a refused run is there", asked)
        if done & {"rollback", "delete"}:
            self._wrong(f"a {done} was acknowledged, and the run is still there as {row.status}", asked)
        allowed = {asked.expected}
        if "interrupt" in tried or asked.leaves or self._superseded(asked, "interrupt"):
            allowed.add("interrupted")
        if "interrupt" in done:
            allowed = {"interrupted"}
        if row.status not in allowed:
            text = self.logs[row.run_id][-2].data[:700] if len(self.logs[row.run_id]) > 1 else b""
            self._wrong(f"ended as {row.status} instead of {sorted(allowed)}: {text!r}", asked)

    def _may_be_gone(self, asked: Asked) -> bool:
        tried = {change.action for change in asked.changes if change.answered != "no"}
        return bool(
            tried & {"rollback", "delete"}
            or self._superseded(asked, "rollback")
            or asked.thread_id in self.history.deleted_threads
        )

    def _superseded(self, asked: Asked, strategy: str) -> bool:
        """Whether a run with that strategy may have been created on the same thread after it."""
        others = self.history.threads.get(asked.thread_id or "", [])
        return any(
            other.strategy == strategy and other is not asked and not other.refused and asked.may_precede(other)
            for other in others
        )

    def _check_gone(self, asked: Asked) -> None:
        for table in ("run_requests", "event_chunks", "checkpoints", "checkpoint_writes", "checkpoint_blobs"):
            ((count,),) = self.deployment.rows(f"SELECT count(*) FROM {table} WHERE run_id = ?", (asked.run_id,))
            deleted = any(change.action == "delete" and change.answered != "no" for change in asked.changes)
            if count and not (deleted and table.startswith("checkpoint")):
                self._wrong(f"{table} still holds {count} rows of a run that is gone", asked)

    def _check_results(self, asked: Asked, row: Row) -> None:
        for result in asked.results:
            if row.status == "success" and asked.graph != "asking":
                self._whole_trail(asked, result)
            elif row.status == "error" and "__error__" not in result:
                self._wrong(f"wait answered a failed run with {str(result)[:300]}", asked)

    def _check_views(self, asked: Asked) -> None:
        log = self.logs.get(asked.run_id or "")
        for view in asked.views:
            if log is None:
                if not self._may_be_gone(asked) and asked.acknowledged:
                    self._wrong("a reader of a run that is not there", asked)
                continue
            if view.gone:
                self._wrong("a reader was told that the run is gone, and it is there", asked)
            elif view.frames != log[view.after :]:
                self._wrong(f"a reader saw something else than the log: {_difference(view.frames, log)}", asked)

    # what holds of each thread

    async def _check_thread(self, http: httpx.AsyncClient, thread_id: str) -> None:
        if thread_id in self.history.deleted_threads:
            self._check_thread_gone(thread_id)
            return
        status = self.threads.get(thread_id)
        if status is None:
            self._wrong(f"thread {thread_id} is not there")
            return
        if status == "busy":
            self._wrong(f"thread {thread_id} is busy and has no active run")
        self._check_holders(thread_id)
        runs = [asked for asked in self.history.threads[thread_id] if asked.acknowledged or not asked.refused]
        state = (
            (await http.get(f"{self.deployment.direct_urls[0]}/threads/{thread_id}/state")).raise_for_status().json()
        )
        self._check_state(runs, state["values"] or {})

    def _check_thread_gone(self, thread_id: str) -> None:
        if self.history.deleted_threads[thread_id] != "yes":
            return
        for table in ("threads", "runs", "event_chunks", "checkpoints", "checkpoint_writes", "checkpoint_blobs"):
            ((count,),) = self.deployment.rows(f"SELECT count(*) FROM {table} WHERE thread_id = ?", (thread_id,))
            if count:
                self._wrong(f"{table} still holds {count} rows of deleted thread {thread_id}")

    def _check_holders(self, thread_id: str) -> None:
        """In the order of the thread's log, the run that writes is the one that was claimed last."""
        chunks = [chunk for run in self.chunks.values() for chunk in run if chunk.thread_id == thread_id]
        holder: tuple[str, int] | None = None
        for chunk in sorted(chunks, key=lambda chunk: chunk.thread_seq):
            frames = {seq_of(frame): frame for frame in self.logs.get(chunk.run_id, [])}
            first = frames.get(chunk.first)
            if first is not None and first.event == "metadata":
                holder = (chunk.run_id, chunk.attempt)
            elif (
                first is not None and holder != (chunk.run_id, chunk.attempt) and not self._ends_pending(chunk, frames)
            ):
                self._wrong(
                    f"thread {thread_id}: run {chunk.run_id} wrote events {chunk.first}-{chunk.last}"
                    f" as attempt {chunk.attempt} while {holder} held the thread"
                )

    def _ends_pending(self, chunk: Chunk, frames: dict[int, Frame]) -> bool:
        """A pending run is ended without an attempt."""
        return chunk.last == len(frames) and chunk.last - chunk.first <= 1

    def _check_state(self, runs: Iterable[Asked], state: dict[str, Any]) -> None:
        said, trail = list(state.get("said", ())), list(state.get("trail", ()))
        order = {row.token: row.position for row in self.rows.values()}
        asked_of = {asked.token: asked for asked in runs}
        for token, count in Counter(said).items():
            if count > 1:
                self._wrong(f"the input was applied {count} times", asked_of.get(token))
            if token in asked_of and token not in order and not self._deleted_after(asked_of[token]):
                self._wrong("a run that is gone has left its input in the state", asked_of[token])
        for entry, count in Counter(entry.partition("@")[0] for entry in trail).items():
            if count > 1:
                self._wrong(f"node {entry} was applied {count} times: {trail}", asked_of.get(entry.partition(".")[0]))
        for asked in asked_of.values():
            row = self._row_of(asked)
            if row is not None and row.status == "success" and not asked.resumes:
                self._whole_trail(asked, state)
            if row is not None and row.status == "success" and asked.resumes:
                self._answered(asked, state)
        placed = [order[token] for token in said if token in order and not asked_of[token].delayed]
        if placed != sorted(placed):
            self._wrong(f"inputs were applied in another order than runs were created: {said}")

    def _whole_trail(self, asked: Asked, state: dict[str, Any]) -> None:
        """A successful run's input is there once, and each of its nodes, by attempts that never go back."""
        said, trail = list(state.get("said", ())), list(state.get("trail", ()))
        if said.count(asked.token) != 1:
            self._wrong(f"the input of a successful run is {said.count(asked.token)} times in the state", asked)
        attempts = dict[str, int]()
        for entry in trail:
            token, _, rest = entry.partition(".")
            if token == asked.token:
                attempts[rest.partition("@")[0]] = int(rest.partition("@")[2])
        latest = 0
        for layer in LAYERS[asked.graph]:
            if missing := [node for node in layer if node not in attempts]:
                self._wrong(f"a successful run has not left the trail of {missing}: {trail}", asked)
                return
            if min(attempts[node] for node in layer) < latest:
                self._wrong(f"an earlier attempt wrote the state after a later one: {trail}", asked)
            latest = max(attempts[node] for node in layer)

    def _answered(self, asked: Asked, state: dict[str, Any]) -> None:
        for node in ("ask", "c"):
            if not any(entry.startswith(f"{asked.resumes}.{node}@") for entry in state.get("trail", ())):
                self._wrong(f"a resumed run has not left the trail of {node}: {state.get('trail')}", asked)

    def _deleted_after(self, asked: Asked) -> bool:
        """What a deleted run has left in the state stays there; only a rollback takes it out."""
        return any(change.action == "delete" for change in asked.changes)

    def _check_leftovers(self) -> None:
        """No checkpoint, no event and no request without its run."""
        for table in ("run_requests", "event_chunks"):
            sql = f"SELECT DISTINCT run_id FROM {table}"
            found = {str(run_id) for (run_id,) in self.deployment.rows(sql)}
            alone = {run_id for run_id in found - set(self.rows) if not run_id.startswith(OF_THREAD)}
            if alone:
                self._wrong(f"{table} holds rows of runs that are not there: {sorted(alone)[:5]}")

    # saying so

    def _is(self, row: Row, found: object, wanted: object, what: str) -> None:
        if found != wanted:
            asked = next((each for each in self.history.asked if each.token == row.token), None)
            self._wrong(f"run {row.token}, {what}: {str(found)[:400]} instead of {str(wanted)[:400]}", asked)

    def _wrong(self, text: str, asked: Asked | None = None) -> None:
        self.history.violate(text, asked)


async def _log(http: httpx.AsyncClient, url: str) -> list[Frame]:
    """The whole log of an ended run."""
    response = await http.get(url, headers={"last-event-id": "-1", "treadle-events": "1"})
    if response.status_code != 200:
        return []
    decoder = Decoder()
    return [*decoder.feed(response.content), *decoder.flush()]


def _json(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else json.loads(value)


def _difference(seen: list[Frame], log: list[Frame]) -> str:
    for index, (mine, its) in enumerate(zip(seen, log, strict=False)):
        if mine != its:
            return f"event {index + 1} was {mine} and is {its}"
    return f"{len(seen)} events of {len(log)}"
