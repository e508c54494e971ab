from __future__ import annotations

import re


def test_the_demo_shows_a_run_that_survives_its_server(treadle):
    result = treadle("demo")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"kill -9 \d+", result.stdout)
    assert "attempt 2 resumed from the last checkpoint" in result.stdout
    assert result.stdout.count("✓") == 6
    assert "✗" not in result.stdout
