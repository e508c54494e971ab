"""The load: actors that each live on one thread after another and ask of it what a seeded chance says."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from chaos.client import Client
from chaos.history import Asked, History

GRAPHS = ("chain", "chain", "chain", "fan", "nested", "made", "asking")
MISHAPS = ("raise", "swallow", "block", "leak", "exit", "sigkill")
NODES = {"chain": "abc", "fan": ("a", "b1", "b3", "c"), "nested": "adec", "made": "abc", "asking": ("a", "ask", "c")}
STRATEGIES = ("enqueue",) * 7 + ("interrupt", "rollback", "reject")


class Budget:
    """How many runs are still to be asked for, and how fast: ``rate`` a second. Shared by all actors."""

    def __init__(self, runs: int, rate: float) -> None:
        self.left = runs
        self.stopped = False
        self._rate = rate
        self._next_at = 0.0

    async def turn(self, chance: random.Random) -> None:
        """Spreads the load over the time that the faults take, unevenly: every fifth comes with the one before."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_at)
        self._next_at = at if chance.random() < 0.2 else at + chance.expovariate(self._rate)
        await asyncio.sleep(at - now)

    def take(self, count: int = 1) -> bool:
        if self.left <= 0 or self.stopped:
            return False
        self.left -= count
        return True


class Actor:
    """One client that works alone on its threads. ``told`` hears what just happened (chaos/faults.py)."""

    def __init__(
        self,
        name: str,
        urls: list[str],
        history: History,
        budget: Budget,
        chance: random.Random,
        *,
        told: Callable[[str], None],
        patience: float,
        mishaps: Sequence[str] = MISHAPS,
    ) -> None:
        self.name = name
        self.history = history
        self.budget = budget
        self.chance = chance
        self.client = Client(urls, history, chance, told=told, patience=patience)
        self._mishaps = mishaps
        self._number = 0
        self._open: list[asyncio.Task[None]] = []

    async def live(self) -> None:
        """Until the budget is spent and all that it began is over."""
        try:
            while self.budget.left > 0 and not self.budget.stopped:
                await self._work_on_a_thread()
        finally:
            await self.client.close()

    # a thread

    async def _work_on_a_thread(self) -> None:
        thread_id = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        await self.client.persist("POST", "/threads", json={"thread_id": thread_id, "if_exists": "do_nothing"})
        graph = self.chance.choice(GRAPHS)
        for _ in range(self.chance.randint(1, 6)):
            if not self.budget.take():
                break
            await self.budget.turn(self.chance)
            await (self._ask_and_answer(thread_id) if graph == "asking" else self._one(thread_id, graph))
        await self._settle()
        if self.chance.random() < 0.05:
            await self._delete_thread(thread_id)

    async def _settle(self) -> None:
        """Waits for the readers of this thread."""
        open_tasks, self._open = self._open, []
        await asyncio.gather(*open_tasks)

    async def _delete_thread(self, thread_id: str) -> None:
        self.history.deleted_threads[thread_id] = "unknown"
        await self.client.persist("DELETE", f"/threads/{thread_id}", allowed=(404,))
        self.history.deleted_threads[thread_id] = "yes"

    # runs

    async def _one(self, thread_id: str, graph: str) -> None:
        asked = self._asked(None if self.chance.random() < 0.15 else thread_id, graph)
        kind = self.chance.choice(("background", "background", "stream", "stream", "wait", "batch"))
        if kind == "batch":
            await self._batch(asked, thread_id)
        elif kind == "stream":
            asked.leaves = asked.thread_id is not None and self.chance.random() < 0.1
            await self._at_once_or_beside(self.client.stream(asked, self._body(asked), **self._reading(asked.leaves)))
        elif kind == "wait":
            await self._at_once_or_beside(self.client.wait(asked, self._body(asked)))
        else:
            asked.retried = self.chance.random() > 0.1
            await self.client.create(asked, self._body(asked))
        await self._afterwards(asked)

    async def _at_once_or_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Half of the clients wait for the end of a run before they ask for the next."""
        task = asyncio.create_task(work)
        self._open.append(task)
        if self.chance.random() < 0.5:
            await task
        else:
            await asyncio.sleep(self.chance.uniform(0.0, 0.15))

    async def _batch(self, first: Asked, thread_id: str) -> None:
        """Several runs in one transaction, all or none. They share the key of the first."""
        count = min(self.chance.randint(1, 3), max(0, self.budget.left))
        self.budget.take(count)
        items = [first, *(self._asked(self.chance.choice([thread_id, None]), first.graph) for _ in range(count))]
        for item in items:
            item.strategy = "enqueue"
        body = [{**self._body(item), "thread_id": item.thread_id} for item in items]
        headers = {"idempotency-key": first.token}
        response, _ = await self.client.persist("POST", "/runs/batch", json=body, headers=headers, allowed=(409,))
        if response.status_code == 409:
            first.vanished = True
            return
        for item, made in zip(items, response.json(), strict=True):
            item.answer(made["run_id"])

    async def _ask_and_answer(self, thread_id: str) -> None:
        """A run up to its interrupt, and the run that answers."""
        asked = self._asked(thread_id, "asking", strategy="enqueue")
        asked.work.pop("mishap", None)
        await self.client.create(asked, self._body(asked))
        await self.client.follow(asked)
        if not self.budget.take():
            return
        answer = self._asked(thread_id, "asking", strategy="enqueue")
        answer.work, answer.resumes = {}, asked.token
        body = {**self._body(answer), "input": None, "command": {"resume": answer.token}}
        await self.client.stream(answer, body)

    def _asked(self, thread_id: str | None, graph: str, *, strategy: str | None = None) -> Asked:
        self._number += 1
        token = f"{self.name}-{self._number}"
        chosen = strategy or (self.chance.choice(STRATEGIES) if thread_id is not None else "enqueue")
        return self.history.ask(Asked(token, thread_id, graph, chosen, self._work(token, graph)))

    def _work(self, token: str, graph: str) -> dict[str, Any]:
        events = self.chance.choice((0, 1, 3, 20))
        size = 20_000 if self.chance.random() < 0.03 else self.chance.choice((0, 100, 1000))
        pause = self.chance.choice((0.0, 0.0, 0.02, 0.1, 0.3))
        work: dict[str, Any] = {"token": token, "events": events, "size": size, "pause": pause}
        if self._mishaps and self.chance.random() < 0.12:
            work |= {"mishap": self.chance.choice(self._mishaps), "at": self.chance.choice(NODES[graph])}
        return work

    def _body(self, asked: Asked) -> dict[str, Any]:
        modes = ["values", "updates", "messages-tuple", "tasks", "checkpoints"]
        body: dict[str, Any] = {
            "assistant_id": asked.graph,
            "input": {"work": asked.work, "said": [asked.token]},
            "metadata": {"token": asked.token},
            "stream_mode": ["custom", *self.chance.sample(modes, self.chance.randint(0, 2))],
            "stream_subgraphs": True,
            "durability": self.chance.choice(("sync", "async", "async", "exit")),
        }
        if asked.thread_id is not None:
            body["multitask_strategy"] = asked.strategy
        if asked.leaves:
            body["on_disconnect"] = "cancel"
        if asked.graph != "asking" and self.chance.random() < 0.08:
            asked.delayed = True
            body["after_seconds"] = round(self.chance.uniform(0.1, 1.5), 2)
        return body

    def _reading(self, leaves: bool = False) -> dict[str, Any]:
        slow = 0.05 if self.chance.random() < 0.1 else 0.0
        leave = self.chance.randint(1, 4) if leaves or self.chance.random() < 0.2 else 0
        return {"slow": slow, "leave_after": leave}

    async def _afterwards(self, asked: Asked) -> None:
        """Readers, cancels and deletes of a run that is known."""
        if asked.run_id is None:
            return
        for _ in range(self.chance.choice((0, 1, 1, 2))):
            self._open.append(asyncio.create_task(self.client.follow(asked, **self._reading())))
        if asked.thread_id is None:
            return
        luck = self.chance.random()
        if luck < 0.16:
            self._open.append(asyncio.create_task(self._cancel_later(asked)))
        elif luck < 0.20:
            await self.client.change(asked, "delete")

    async def _cancel_later(self, asked: Asked) -> None:
        await asyncio.sleep(self.chance.choice((0.0, 0.05, 0.2, 0.5)))
        action = self.chance.choice(("interrupt", "interrupt", "rollback"))
        await self.client.change(asked, action, wait=self.chance.random() < 0.3)
        if self.chance.random() < 0.1:
            await self.client.change(asked, self.chance.choice(("interrupt", "rollback")))
