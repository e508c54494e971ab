"""One requirement: what a server of this API does, what ours does instead, and the tests that show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """``id`` is dotted, its first part the area. ``source`` names the page and section that asks for it.

    ``tests`` are ``file::function`` below tests/, or ``file.mjs::title`` for JavaScript. ``routes`` are rows of the
    route table. ``divergence`` says what ours does instead of the official server, and why; ``defect`` that the source
    marks what that server does as one.
    """

    id: str
    source: str
    behaviour: str
    tests: tuple[str, ...]
    routes: tuple[str, ...] = ()
    divergence: str | None = None
    defect: bool = False

    @property
    def area(self) -> str:
        return self.id.partition(".")[0]


@dataclass(frozen=True)
class NotYet:
    """What does not work here yet, and why."""

    id: str
    source: str
    behaviour: str
    reason: str
