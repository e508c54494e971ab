"""The other server is measured where nothing can leave the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import isolation

ROOT = Path(__file__).parents[2]


def test_there_is_loopback_and_nothing_else():
    found = subprocess.run(
        [sys.executable, "-m", "bench.isolated"],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    if found.stdout == "impossible\n":
        pytest.skip("this machine allows no network namespace")
    assert found.stdout == "loopback given Network is unreachable\n", found.stderr


def test_a_process_with_the_machines_network_is_not_inside(monkeypatch: pytest.MonkeyPatch):
    assert not isolation.inside()
