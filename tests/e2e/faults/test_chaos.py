"""A bounded part of the fault suite (``make chaos``): no contract is broken while things are killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chaos.deployment import Backend
from chaos.suite import Round, run
from support.services import ServiceMissing


# PostgreSQL without Redis is left to `make chaos`: this takes half a minute for each.
@pytest.mark.parametrize("backend", ["sqlite", "redis"])
def test_no_contract_is_broken_under_faults(backend: Backend, tmp_path: Path) -> None:
    try:
        report = asyncio.run(run(Round(backend, runs=50, seed=7, clients=8, gap=0.5, rate=5.0), tmp_path / "round"))
    except ServiceMissing as missing:
        pytest.skip(str(missing))
    assert not report.violations, "\n".join(report.violations)
    assert report.faults.total() > 2, "the load was over before anything happened"
