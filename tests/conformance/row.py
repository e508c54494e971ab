"""One requirement: a behaviour of the API, a deliberate difference from it, and the tests for both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A behaviour of the official server that clients may rely on.

    ``id`` is dotted; its first part is the area. ``tests`` are ``file::function`` below tests/, or ``file.mjs::title``
    for JavaScript. ``routes`` are rows of the route table. ``divergence`` describes and explains a deliberate
    difference; ``defect`` marks a difference that corrects a defect of the official server.
    """

    id: str
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
    """A behaviour that is missing here, and the reason."""

    id: str
    behaviour: str
    reason: str
