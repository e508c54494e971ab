"""The published suite for LangGraph checkpointers, whole, on both kinds of saver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability

from treadle.backends.checkpoints.saver import SqlCheckpointer
from treadle.backends.engine.jobs import Engine


@pytest.mark.parametrize("eager", [False, True], ids=["waiting", "eager"])
def test_every_capability_is_there_and_conforms(engine: Engine, eager: bool) -> None:
    @checkpointer_test(name=f"SqlCheckpointer {eager=}")
    async def savers() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        yield SqlCheckpointer(engine, eager=eager)

    report = asyncio.run(validate(savers))
    failures = {name: result.failures for name, result in report.results.items() if result.passed is not True}
    assert failures == {}
    assert {name for name, result in report.results.items() if result.detected} == {one.value for one in Capability}
    assert sum(result.tests_passed for result in report.results.values()) >= 60
