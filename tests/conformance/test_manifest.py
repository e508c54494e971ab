"""The manifest is complete: each row has tests that exist; each route, defect and transcript has its row."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from conformance.requirements import AREAS, DEFECTS, NOT_YET, ROWS
from transcripts import test_records, test_runs, test_timing
from treadle.http.app import operations

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
TITLE = re.compile(r"""^\s*(?:test|it)\(\s*(["'`])(.+?)\1\s*,""", re.MULTILINE)


@cache
def names_of_tests(path: Path) -> frozenset[str]:
    """Return the names of the tests in a file: its functions, or the titles of a JavaScript file."""
    if path.suffix == ".mjs":
        return frozenset(title for _, title in TITLE.findall(path.read_text()))
    tree = ast.parse(path.read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def exists(test: str) -> bool:
    """Return whether the test exists. Parameters in brackets are ignored."""
    file, _, name = test.partition("::")
    path = TESTS / file
    return path.is_file() and (name if path.suffix == ".mjs" else name.partition("[")[0]) in names_of_tests(path)


def test_every_row_has_tests_that_exist() -> None:
    assert [row.id for row in ROWS if not row.tests] == []
    assert [(row.id, test) for row in ROWS for test in row.tests if not exists(test)] == []


def test_every_named_transcript_exists() -> None:
    named = {
        (match[1], match[2])
        for row in ROWS
        for test in row.tests
        if (match := re.match(r"transcripts/test_(\w+)\.py::.*\[(.+)\]$", test))
    }
    assert [pair for pair in named if not (TESTS / "transcripts" / pair[0] / f"{pair[1]}.json").exists()] == []


def test_ids_are_unique_and_belong_to_an_area() -> None:
    ids = [row.id for row in ROWS] + [row.id for row in NOT_YET]
    assert len(ids) == len(set(ids))
    assert [row.id for row in ROWS if not re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)+", row.id)] == []
    assert {row.area for row in ROWS} == set(AREAS)


def test_every_row_has_a_behaviour() -> None:
    assert [row.id for row in ROWS if not row.behaviour.endswith(".")] == []
    assert [row.id for row in ROWS if row.divergence is not None and not row.divergence.endswith(".")] == []


def test_every_route_has_a_row() -> None:
    named = {route for row in ROWS for route in row.routes}
    assert named == {f"{operation.method} {operation.path}" for operation in operations()}


def test_every_defect_has_a_row_with_the_difference() -> None:
    defects = [row for row in ROWS if row.defect]
    assert [row.id for row in defects if not row.divergence] == []
    assert len(defects) == DEFECTS


def test_every_missing_behaviour_has_a_reason() -> None:
    assert [row.id for row in NOT_YET if not (row.behaviour and row.reason)] == []


def test_every_transcript_is_replayed() -> None:
    replayed = {path.stem for path in TESTS.glob("transcripts/*/*.json")}
    assert len(replayed) >= 93
    assert set(test_timing.SLOW) <= replayed
    assert all(test_timing.SLOW.values())


def test_every_difference_from_a_transcript_has_a_row() -> None:
    tables = (test_runs.DIFFERENT, test_records.DIFFERENT)
    named = {row for table in tables for steps in table.values() for _, row in steps.values()}
    named |= set(test_runs.EVERYWHERE.values())
    assert sorted(named - {row.id for row in ROWS if row.divergence}) == []


def test_the_page_is_current() -> None:
    script = ROOT / "scripts" / "compatibility.py"
    result = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("text", ["http/routes/test_runs.py::test_nope", "nope.py::test_x", "js/runs.test.mjs::nope"])
def test_a_missing_test_is_detected(text: str) -> None:
    assert not exists(text)
