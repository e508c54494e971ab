"""The simulation of docs/scale.md runs, repeats itself, and prints the table that stands there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def simulated(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.simulate", "--most=10", "--seconds=0.5", *arguments]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
    return made.stdout.splitlines()


def test_a_seed_makes_the_same_figures_again():
    assert simulated("--seed=7") == simulated("--seed=7")
    assert simulated("--seed=7") != simulated("--seed=8")


def test_the_page_has_its_columns():
    head, *_ = simulated()
    assert head in (ROOT / "docs" / "scale.md").read_text().splitlines()
