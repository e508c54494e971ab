"""What clients asked for, what they were told and what they saw: all that the checker goes by."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from treadle.sse import Frame

Answered = Literal["yes", "no", "unknown"]
"""Of a request that changes something: it took effect, it did not, or nobody can tell."""

GRACE_SECONDS = 6.0
"""How long after a fault its consequences may show."""


@dataclass
class Change:
    """A cancel (``interrupt``, ``rollback``) or a ``delete`` of a run."""

    action: Literal["interrupt", "rollback", "delete"]
    answered: Answered


@dataclass
class View:
    """What one reader saw of a run, over all its connections."""

    after: int = 0
    frames: list[Frame] = field(default_factory=list[Frame])
    finished: bool = False
    gone: bool = False
    connections: int = 0


@dataclass
class Asked:
    """One run that a client asked for. ``token`` names it in its input, its metadata and its idempotency key."""

    token: str
    thread_id: str | None
    graph: str
    strategy: str
    work: dict[str, Any]
    retried: bool = True
    resumes: str = ""
    """The token of the run whose interrupt it answers."""
    leaves: bool = False
    """Created with on_disconnect=cancel."""
    delayed: bool = False
    asked_at: float = 0.0
    answered_at: float | None = None
    """Of the first answer."""
    run_ids: list[str] = field(default_factory=list[str])
    """Of every answer; they must be one."""
    refused: bool = False
    """409 for a busy thread."""
    vanished: bool = False
    """The key's run was gone when it was asked for again."""
    changes: list[Change] = field(default_factory=list[Change])
    views: list[View] = field(default_factory=list[View])
    results: list[Any] = field(default_factory=list[Any])

    @property
    def run_id(self) -> str | None:
        return self.run_ids[0] if self.run_ids else None

    @property
    def acknowledged(self) -> bool:
        return bool(self.run_ids)

    def answer(self, run_id: str) -> None:
        self.run_ids.append(run_id)
        if self.answered_at is None:
            self.answered_at = time.monotonic()

    def may_precede(self, other: Asked) -> bool:
        """Whether it may have been created before ``other``."""
        return other.answered_at is None or self.asked_at < other.answered_at

    @property
    def expected(self) -> str:
        return "error" if self.work.get("mishap") == "raise" else "success"


@dataclass
class Fault:
    kind: str
    began: float
    ended: float | None = None
    detail: str = ""


class History:
    """Filled by the load and the faults while they run, read by the checker."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.threads: dict[str, list[Asked]] = defaultdict(list)
        self.deleted_threads: dict[str, Answered] = {}
        self.faults: list[Fault] = []
        self.answers: Counter[str] = Counter()
        self.violations: list[str] = []
        self.repeated: Counter[str] = Counter()
        self.began = time.monotonic()

    def ask(self, asked: Asked) -> Asked:
        asked.asked_at = time.monotonic()
        self.asked.append(asked)
        if asked.thread_id is not None:
            self.threads[asked.thread_id].append(asked)
        return asked

    @contextmanager
    def fault(self, kind: str, detail: str = "") -> Generator[None]:
        """The window in which 503 and broken connections are what a client must expect."""
        fault = Fault(kind, time.monotonic(), detail=detail)
        self.faults.append(fault)
        try:
            yield
        finally:
            fault.ended = time.monotonic()

    def faulted(self, began: float, ended: float) -> bool:
        """Whether any fault's window overlaps the time between the two instants."""
        return any(fault.began <= ended and began <= (fault.ended or ended) + GRACE_SECONDS for fault in self.faults)

    def violate(self, text: str, asked: Asked | None = None) -> None:
        self.violations.append(f"{text}\n{self.story(asked)}" if asked is not None else text)

    def violate_again(self, kind: str, detail: str) -> None:
        """A violation that may occur very often: the first of a kind is reported in full."""
        self.repeated[kind] += 1
        if self.repeated[kind] == 1:
            self.violations.append(f"{kind}\n    first {detail}")

    def story(self, asked: Asked) -> str:
        """Everything known about a run, to analyse a violation."""
        changes = ", ".join(f"{change.action}: {change.answered}" for change in asked.changes) or "none"
        place = f"thread {asked.thread_id}, run {asked.run_id}, graph {asked.graph}, strategy {asked.strategy}"
        others = [each.token for each in self.threads.get(asked.thread_id or "", [])]
        seen = [(view.after, len(view.frames), view.finished, view.connections) for view in asked.views]
        return (
            f"    {asked.token}: {place}\n    work {asked.work}, changes {changes}\n"
            f"    readers (after, frames, finished, connections) {seen}\n    runs of the thread {others}"
        )

    def at(self, instant: float) -> str:
        return f"{instant - self.began:.2f}s"
