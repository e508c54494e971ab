"""Decide what happens to a thread's active runs when another run is created. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from treadle.model import CancelAction, MultitaskStrategy
from treadle.ports.records import ActiveRun


class Decision(Struct, frozen=True):
    """``rejected``: the new run is refused. Otherwise, ``ends`` are pending runs to end, ``cancels`` running ones to
    cancel."""

    rejected: bool = False
    action: CancelAction | None = None
    ends: tuple[str, ...] = ()
    cancels: tuple[str, ...] = ()


def decide(strategy: MultitaskStrategy, active: Sequence[ActiveRun]) -> Decision:
    """Decide for a new run. ``active`` are the thread's pending and running runs; it supersedes all of them or none."""
    if not active or strategy == "enqueue":
        return Decision()
    if strategy == "reject":
        return Decision(rejected=True)
    return Decision(
        action=strategy,
        ends=tuple(run.run_id for run in active if run.status == "pending"),
        cancels=tuple(run.run_id for run in active if run.status == "running"),
    )
