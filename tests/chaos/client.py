"""A client over plain HTTP that retries, reconnects, and records every response and event."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Collection
from typing import Any

import httpx

from chaos.history import Answered, Asked, Change, History, View
from treadle.sse import Decoder, Frame, parse_event_id

QUIET_SECONDS = 6.0
"""A stream that says nothing for so long, heartbeats included, is taken for dead."""
_PAUSE = 0.1
_EXTENDED = {"treadle-events": "1"}


class GaveUp(AssertionError):
    """A request found no answer until the end of the suite's patience."""


class Client:
    """One of many, with connections and chances of its own. ``told`` is called with what just happened."""

    def __init__(
        self, urls: list[str], history: History, chance: random.Random, *, told: Callable[[str], None], patience: float
    ) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=4)
        self.http = httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(QUIET_SECONDS), limits=limits)
        self.urls = urls
        self.history = history
        self.chance = chance
        self.patience = patience
        self._told = told

    async def close(self) -> None:
        await self.http.aclose()

    # single requests

    async def once(
        self, method: str, path: str, *, allowed: Collection[int] = (), **options: Any
    ) -> httpx.Response | None:
        """One try. None without a response, or for a 503."""
        began = time.monotonic()
        try:
            response = await self.http.request(method, self.url(path), **options)
        except httpx.TransportError:
            self.history.answers["cut"] += 1
            return None
        self.note(method, path, response.status_code, response.text, began, allowed)
        return None if response.status_code >= 500 else response

    async def persist(
        self, method: str, path: str, *, allowed: Collection[int] = (), **options: Any
    ) -> tuple[httpx.Response, bool]:
        """Tries until there is an answer. The second value tells whether an earlier try may have taken effect."""
        deadline = time.monotonic() + self.patience
        uncertain = False
        while (response := await self.once(method, path, allowed=allowed, **options)) is None:
            uncertain = True
            await self.rest(deadline, f"{method} {path}")
        return response, uncertain

    def url(self, path: str) -> str:
        return f"{self.chance.choice(self.urls)}{path}"

    def note(self, method: str, path: str, status: int, text: str, began: float, allowed: Collection[int]) -> None:
        """Counts an answer; one that breaks the contract is a violation."""
        self.history.answers[str(status)] += 1
        now = time.monotonic()
        if status < 300 or status in allowed:
            return
        if status == 503 and self.history.faulted(began, now):
            return
        kind = f"{method} {re.sub('[0-9a-f-]{36}', '…', path)} was answered with {status}: {text[:600]}"
        self.history.violate_again(kind, f"at {self.history.at(now)} {method} {path}")

    async def rest(self, deadline: float, what: str) -> None:
        if time.monotonic() > deadline:
            raise GaveUp(f"no answer to {what}")
        await asyncio.sleep(_PAUSE * (0.5 + self.chance.random()))

    # runs

    async def create(self, asked: Asked, body: Any) -> None:
        """POST …/runs. Without an idempotency key it is tried once."""
        path = f"{base(asked)}/runs"
        headers = {"idempotency-key": asked.token} if asked.retried else {}
        if asked.retried:
            response, _ = await self.persist("POST", path, json=body, headers=headers, allowed=(409,))
        else:
            found = await self.once("POST", path, json=body, headers=headers, allowed=(409,))
            if found is None:
                return
            response = found
        self.acknowledge(asked, response.status_code, response.text)

    def acknowledge(self, asked: Asked, status: int, text: str) -> None:
        if status == 409:
            self._conflict(asked, text)
        elif status < 300:
            asked.answer(json.loads(text)["run_id"])
            self._told("ack")

    def _conflict(self, asked: Asked, text: str) -> None:
        if "deleted since" in text:
            asked.vanished = True
        elif "already running" in text and asked.strategy == "reject":
            asked.refused = True
        else:
            self.history.violate(f"an unexpected conflict: {text}", asked)

    async def wait(self, asked: Asked, body: Any) -> None:
        """POST …/runs/wait, again with the same key until the result is there."""
        deadline = time.monotonic() + self.patience
        while not await self._waited(asked, body):
            await self.rest(deadline, f"the result of {asked.token}")

    async def _waited(self, asked: Asked, body: Any) -> bool:
        path, began = f"{base(asked)}/runs/wait", time.monotonic()
        headers = {"idempotency-key": asked.token}
        try:
            async with self.http.stream("POST", self.url(path), json=body, headers=headers) as response:
                self._located(asked, response)
                text = (await response.aread()).decode()
        except httpx.TransportError:
            self.history.answers["cut"] += 1
            return False
        self.note("POST", path, response.status_code, text, began, (409,))
        if response.status_code >= 500:
            return False
        if response.status_code == 409:
            self._conflict(asked, text)
        else:
            asked.results.append(json.loads(text))
        return True

    def _located(self, asked: Asked, response: httpx.Response) -> None:
        """A streamed answer names its run in a header; from then on the run is acknowledged."""
        location = response.headers.get("content-location")
        if response.status_code < 300 and location is not None:
            asked.answer(location.rstrip("/").rsplit("/", 1)[1])
            self._told("ack")

    async def stream(self, asked: Asked, body: Any, **reading: Any) -> None:
        """POST …/runs/stream until the run is known, and on from the last event wherever it breaks."""
        view = View()
        asked.views.append(view)
        deadline = time.monotonic() + self.patience
        path = f"{base(asked)}/runs/stream"
        headers = {**_EXTENDED, "idempotency-key": asked.token}
        while not asked.run_ids and not asked.refused and not asked.vanished:
            if await self._connected(asked, view, "POST", path, json=body, headers=headers, **reading):
                return
            if not asked.run_ids:
                await self.rest(deadline, f"a stream of {asked.token}")
        if asked.run_ids:
            await self.read(asked, view, **reading)

    async def follow(self, asked: Asked, **reading: Any) -> None:
        """A reader of its own of a run that is known."""
        view = View()
        asked.views.append(view)
        await self.read(asked, view, **reading)

    async def read(self, asked: Asked, view: View, **reading: Any) -> None:
        """Reads to the end of the run, coming back after the last event id as often as needed."""
        deadline = time.monotonic() + self.patience
        path = f"{base(asked)}/runs/{asked.run_id}/stream"
        while not view.finished and not view.gone:
            headers = {**_EXTENDED, "last-event-id": _last_id(view)}
            if not await self._connected(asked, view, "GET", path, headers=headers, **reading):
                await self.rest(deadline, f"the rest of {asked.token}")

    async def _connected(
        self,
        asked: Asked,
        view: View,
        method: str,
        path: str,
        *,
        slow: float = 0.0,
        leave_after: int = 0,
        **options: Any,
    ) -> bool:
        """One connection. True when there is nothing more to read."""
        began = time.monotonic()
        view.connections += 1
        try:
            async with self.http.stream(method, self.url(path), **options) as response:
                if response.status_code != 200:
                    return self._no_stream(
                        asked, view, method, path, response.status_code, await response.aread(), began
                    )
                if method == "POST":
                    self._located(asked, response)
                self.history.answers["200"] += 1
                return await self._take(asked, view, response, slow, leave_after if view.connections == 1 else 0)
        except httpx.TransportError:
            self.history.answers["cut"] += 1
            return False

    def _no_stream(
        self, asked: Asked, view: View, method: str, path: str, status: int, text: bytes, began: float
    ) -> bool:
        self.note(method, path, status, text.decode(), began, (404, 409))
        if status == 404:
            view.gone = True
        elif status == 409:
            self._conflict(asked, text.decode())
        return status in (404, 409)

    async def _take(self, asked: Asked, view: View, response: httpx.Response, slow: float, leave_after: int) -> bool:
        decoder = Decoder()
        count = 0
        async for data in response.aiter_raw():
            for frame in decoder.feed(data):
                self._see(asked, view, frame)
                count += 1
            if leave_after and count >= leave_after:
                return False
            if slow:
                await asyncio.sleep(slow)
        if not view.finished and not view.gone:
            self.history.violate("a stream was closed cleanly before the end of its run", asked)
            return True
        return True

    def _see(self, asked: Asked, view: View, frame: Frame) -> None:
        if frame.id is not None:
            if not view.frames:
                self._told("first event")
            view.frames.append(frame)
        elif frame.event == "end":
            view.gone = True
        else:
            self.history.violate(f"an event without an id: {frame}", asked)
        if frame.event == "end":
            view.finished = frame.id is not None
            self._told("end")

    async def change(self, asked: Asked, action: str, *, wait: bool = False) -> None:
        """Cancel or delete; retry without a response, as any client would."""
        run = f"/threads/{asked.thread_id}/runs/{asked.run_id}"
        made = Change(action, "unknown")  # type: ignore[arg-type]
        asked.changes.append(made)
        if action == "delete":
            response, uncertain = await self.persist("DELETE", run, allowed=(404,), timeout=60)
        else:
            params = {"action": action, "wait": int(wait)}
            response, uncertain = await self.persist("POST", f"{run}/cancel", params=params, allowed=(404,), timeout=60)
        made.answered = _effect(response.status_code, uncertain)
        self._told("cancelled")


def base(asked: Asked) -> str:
    return "" if asked.thread_id is None else f"/threads/{asked.thread_id}"


def seq_of(frame: Frame) -> int:
    known = parse_event_id(frame.id or "")
    return known[1] if known is not None else 0


def _effect(status: int, uncertain: bool) -> Answered:
    if status < 300:
        return "yes"
    return "unknown" if uncertain else "no"


def _last_id(view: View) -> str:
    return (view.frames[-1].id or "") if view.frames else "-1"
