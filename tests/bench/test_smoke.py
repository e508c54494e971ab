"""A gross loss of speed fails here, within seconds. Margins are wide: the machine has other things to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.rounds import bare
from benchmarks.server import Serving

from treadle.bench.take import Take, Taker, Target

SECONDS = 0.3
TRIES = 2


class Least(NamedTuple):
    """What must be reached, given treadle's figure and that of bare LangGraph: a fifth of what `make bench` asks."""

    take: Take
    bare: str
    enough: Callable[[float, float], bool]


ROWS = (
    Least(Take("threaded_stream"), "chain_with_saver", lambda ours, bare: ours >= 1.2 / 5 * bare),
    Least(Take("stateless_wait"), "chain_with_saver", lambda ours, bare: ours >= 1.5 / 5 * bare),
    Least(Take("custom_one"), "custom_one", lambda ours, bare: ours >= 0.5 / 5 * bare),
    Least(Take("messages"), "messages", lambda ours, bare: ours >= 0.5 / 5 * bare),
    Least(Take("first_event"), "first_event", lambda ours, bare: ours <= 5 * (bare + 4)),
)
MEASURES = tuple(dict.fromkeys(row.bare for row in ROWS))


def test_no_gross_loss_against_bare_langgraph(server: Serving, tmp_path: Path):
    tries: list[Mapping[str, tuple[float, float]]] = []
    left = ROWS
    while left and len(tries) < TRIES:
        tries.append(_figures(server, tmp_path))
        left = tuple(row for row in left if not row.enough(*tries[-1][row.take.name]))
    assert not left, f"{[row.take.name for row in left]}; treadle and bare LangGraph, in each try: {tries}"


def _figures(server: Serving, directory: Path) -> Mapping[str, tuple[float, float]]:
    """Treadle's and bare LangGraph's; the latter is taken before and after, so that what comes over the machine in
    the meantime hits both."""
    before = bare(MEASURES, directory, SECONDS)
    ours = {row.take.name: Taker(SECONDS)(Target(server.url), row.take).figures[row.take.name] for row in ROWS}
    after = bare(MEASURES, directory, SECONDS)
    return {row.take.name: (ours[row.take.name], (before[row.bare] + after[row.bare]) / 2) for row in ROWS}
