"""Detect a gross loss of speed within seconds. Margins are wide, because the machine may have other load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.rounds import bare
from benchmarks.server import MeasuredServer

from treadle.bench.cases import Case, Endpoint, LoadGenerator

SECONDS = 0.3
TRIES = 2


class Limit(NamedTuple):
    """A lower limit on treadle's figure, given that of bare LangGraph: a fifth of the target of `make bench`."""

    case: Case
    bare: str
    enough: Callable[[float, float], bool]


ROWS = (
    Limit(Case("threaded_stream"), "chain_with_saver", lambda ours, bare: ours >= 1.2 / 5 * bare),
    Limit(Case("stateless_wait"), "chain_with_saver", lambda ours, bare: ours >= 1.5 / 5 * bare),
    Limit(Case("custom_one"), "custom_one", lambda ours, bare: ours >= 0.5 / 5 * bare),
    Limit(Case("messages"), "messages", lambda ours, bare: ours >= 0.5 / 5 * bare),
    Limit(Case("first_event"), "first_event", lambda ours, bare: ours <= 5 * (bare + 4)),
)
MEASURES = tuple(dict.fromkeys(row.bare for row in ROWS))


def test_no_gross_loss_of_speed_against_bare_langgraph(server: MeasuredServer, tmp_path: Path):
    tries: list[Mapping[str, tuple[float, float]]] = []
    left = ROWS
    while left and len(tries) < TRIES:
        tries.append(_figures(server, tmp_path))
        left = tuple(row for row in left if not row.enough(*tries[-1][row.case.name]))
    assert not left, f"{[row.case.name for row in left]}; treadle and bare LangGraph, in each try: {tries}"


def _figures(server: MeasuredServer, directory: Path) -> Mapping[str, tuple[float, float]]:
    """Return treadle's and bare LangGraph's figures by case.

    Bare LangGraph is measured before and after, so that other load on the machine affects both.
    """
    before = bare(MEASURES, directory, SECONDS)
    ours = {
        row.case.name: LoadGenerator(SECONDS)(Endpoint(server.url), row.case).figures[row.case.name] for row in ROWS
    }
    after = bare(MEASURES, directory, SECONDS)
    return {row.case.name: (ours[row.case.name], (before[row.bare] + after[row.bare]) / 2) for row in ROWS}
