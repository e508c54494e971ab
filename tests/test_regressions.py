"""The table of others' bugs is whole: each has tests that exist, on every database where that may matter."""

from __future__ import annotations

from conformance.test_manifest import exists
from regressions import BUGS
from support import shapes

BOTH = {"sqlite", "postgres"}


def shapes_of(test: str) -> set[str]:
    """On which of the shapes a test can run; one of no server, on none."""
    return set(shapes.of(test, "all") or ())


def test_every_bug_has_tests_that_exist() -> None:
    assert [bug.what for bug in BUGS if not bug.tests] == []
    assert [(bug.what, test) for bug in BUGS for test in bug.tests if not exists(test)] == []
    assert len({bug.what for bug in BUGS}) == len(BUGS)


def test_what_a_database_could_get_wrong_is_tested_on_both() -> None:
    """What only several processes can do is tested on the shapes that have them."""
    for bug in BUGS:
        if bug.everywhere:
            found = set[str]().union(*map(shapes_of, bug.tests))
            several = all(test.startswith("e2e/cluster/") for test in bug.tests)
            assert found >= (BOTH - {"sqlite"} if several else BOTH), bug.what


def test_what_is_said_of_tests_and_shapes_is_said_of_what_is_there() -> None:
    tables = (*shapes.SERVERS, *shapes.ENGINES, *shapes.CLUSTERS, *shapes.CUT, *shapes.ONLY_EMBEDDED)
    assert [each for each in tables if not (exists(each) if "::" in each else (shapes.TESTS / each).exists())] == []
