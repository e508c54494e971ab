"""The other server is measured in a namespace from which nothing can leave the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import isolation

ROOT = Path(__file__).parents[2]


def test_an_isolated_process_has_only_loopback():
    done = subprocess.run(
        [sys.executable, "-m", "bench.isolated"],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    if done.stdout == "impossible\n":
        pytest.skip("this machine allows no network namespace")
    assert done.stdout == "loopback given Network is unreachable\n", done.stderr


def test_a_process_with_the_network_of_the_machine_is_not_isolated(monkeypatch: pytest.MonkeyPatch):
    assert not isolation.is_isolated()
