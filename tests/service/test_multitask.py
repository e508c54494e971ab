"""What a new run does to those that are active: one table."""

from __future__ import annotations

import pytest

from treadle.model import MultitaskStrategy
from treadle.ports.records import ActiveRun
from treadle.service.multitask import Decision, decide

RUNNING = ActiveRun("r", "running", None)
STOPPING = ActiveRun("s", "running", "interrupt")
ROLLING_BACK = ActiveRun("b", "running", "rollback")
FIRST, SECOND = ActiveRun("p1", "pending", None), ActiveRun("p2", "pending", None)


@pytest.mark.parametrize("strategy", ["reject", "interrupt", "rollback", "enqueue"])
def test_on_an_idle_thread_every_strategy_just_starts(strategy: MultitaskStrategy) -> None:
    assert decide(strategy, []) == Decision()


@pytest.mark.parametrize(
    ("strategy", "active", "expected"),
    [
        ("enqueue", [RUNNING, FIRST], Decision()),
        ("reject", [RUNNING], Decision(rejected=True)),
        ("reject", [FIRST], Decision(rejected=True)),
        ("reject", [STOPPING], Decision(rejected=True)),
        ("interrupt", [RUNNING], Decision(action="interrupt", cancels=("r",))),
        ("interrupt", [FIRST], Decision(action="interrupt", ends=("p1",))),
        ("interrupt", [RUNNING, FIRST, SECOND], Decision(action="interrupt", ends=("p1", "p2"), cancels=("r",))),
        ("interrupt", [ROLLING_BACK], Decision(action="interrupt", cancels=("b",))),
        ("rollback", [RUNNING, FIRST], Decision(action="rollback", ends=("p1",), cancels=("r",))),
        ("rollback", [STOPPING], Decision(action="rollback", cancels=("s",))),
    ],
)
def test_a_busy_thread(strategy: MultitaskStrategy, active: list[ActiveRun], expected: Decision) -> None:
    assert decide(strategy, active) == expected
