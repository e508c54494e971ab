"""From the figures of rounds to the table, the documents and the picture."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from benchmarks import plot, publish, report
from benchmarks.rows import ROWS, Result, results
from rich.console import Console

from treadle.bench.take import Taken

ROUND = {
    "treadle.threaded_stream_16": 300.0,
    "bare.chain_with_saver_16": 150.0,
    "bare.chain_alone_16": 1500.0,
    "other.threaded_stream_16": 30.0,
    "treadle.first_event": 3.0,
    "bare.first_event": 1.0,
    "other.first_event": 900.0,
    "treadle.idle_memory": 120.0,
    "other.idle_memory": 100.0,
    "treadle.late_run_slowdown": 1.1,
}


def found(*rounds: dict[str, float]) -> dict[str, Result]:
    """By title: two rows may be of one figure."""
    return {result.row.of.title: result for result in results(rounds)}


def test_ratios_say_how_many_times_better_treadle_is():
    by_title = found(ROUND)
    streams, first = by_title["threaded streams, 16 in flight"], by_title["first event, one run after another"]
    assert (streams.to_bare, streams.to_other) == (2.0, 10.0)
    assert (first.to_other, first.over) == (300.0, 2.0)  # of a time, less is better
    assert by_title["memory when idle"].to_other == pytest.approx(100 / 120)


def test_targets_are_met_or_missed():
    verdicts = {title: result.verdicts() for title, result in found(ROUND).items()}
    assert verdicts["threaded streams, 16 in flight"] == [("≥ 1.2 × bare", True), ("≥ 5 × langgraph dev", True)]
    assert verdicts["first event, one run after another"][0] == ("≤ 4 ms over bare", True)
    assert verdicts["memory when idle"] == [("better than langgraph dev", False)]
    assert verdicts["… to one on a new thread"] == [("≤ 1.3 ×", True)]


def test_a_target_that_was_not_measured_is_neither():
    alone = {name: value for name, value in ROUND.items() if not name.startswith("other.")}
    verdicts = found(alone)["threaded streams, 16 in flight"].verdicts()
    assert verdicts == [("≥ 1.2 × bare", True), ("≥ 5 × langgraph dev", None)]


def test_figures_are_medians_and_ratios_those_within_rounds():
    rounds = [{**ROUND, "treadle.threaded_stream_16": ours} for ours in (300.0, 150.0, 450.0)]
    rounds[0]["bare.chain_with_saver_16"] = 600.0
    result = found(*rounds)["threaded streams, 16 in flight"]
    assert (result.value, result.bare, result.to_bare) == (300.0, 150.0, 1.0)


def test_what_only_one_round_measured_is_compared_within_that():
    rounds = [{**ROUND, "treadle.readers": 800.0, "other.readers": 4.0}, {**ROUND, "treadle.readers": 600.0}]
    result = found(*rounds)["one run, 500 readers: delivered"]
    assert (result.value, result.other, result.to_other) == (700.0, 4.0, 200.0)


def test_every_target_of_the_table_has_a_row():
    assert {row.of.figure for row in ROWS if row.targets} >= {
        "first_event",
        "threaded_stream_16",
        "stateless_wait_16",
        "custom_one",
        "custom_many",
        "messages",
        "long_values",
        "readers",
        "readers_slowdown",
        "idle_streams",
        "idle_stream_kib",
        "list_runs_slowdown",
        "search_threads_slowdown",
        "late_run_slowdown",
        "startup",
        "idle_memory",
    }


def printed(rounds: list[dict[str, float]], other: str | None) -> str:
    console = Console(width=170, record=True, file=io.StringIO())
    console.print(report.table(results(rounds), other))
    return console.export_text()


def test_the_table_shows_both_comparisons(tmp_path: Path):
    text = printed([ROUND], "langgraph dev")
    line = next(line for line in text.splitlines() if "threaded streams, 16 in flight" in line)
    shown = "threaded streams, 16 in flight runs/s 300 150 2.00 30 10 ≥ 1.2 × bare met, ≥ 5 × langgraph dev met"
    assert " ".join(line.split()) == shown
    assert "langgraph dev" not in printed([ROUND], None).splitlines()[2]


def test_the_markdown_is_the_same_table():
    lines = report.markdown(results([ROUND]), "langgraph dev").splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert any("| memory when idle | MiB | 120 |" in line and "**missed**" in line for line in lines)


def test_a_document_and_its_picture(tmp_path: Path):
    taken = [Taken("threaded_stream_16", {"threaded_stream_16": 300.0}, 2.0, 0.1, 1.8)]
    document = report.document(results([ROUND]), [ROUND], taken, 0.5, other="langgraph dev")
    again = json.loads(json.dumps(document))
    assert again["processors"] == {"threaded_stream_16": {"load": 0.05, "server": 0.9}}
    assert {"cores", "system", "load_before"} <= again["machine"].keys()
    plot.draw(again, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_result_is_put_between_the_marks_of_a_page():
    document = report.document(results([ROUND]), [ROUND], [], 0.5, other="langgraph dev")
    page = "before\n<!-- make bench -->\nold\n<!-- end of make bench -->\nafter\n"
    again = publish.with_table(page, document)
    assert (again[:7], again[-6:]) == ("before\n", "after\n")
    assert "old" not in again
    assert document["table"] in again
    assert "`make bench AGAINST=langgraph-dev`" in again
    assert publish.with_table(again, document) == again
    with pytest.raises(ValueError, match="must have"):
        publish.with_table("no marks", document)


def test_the_pages_show_the_published_result():
    document = json.loads(publish.RESULT.read_text())
    assert document["other"] == "langgraph dev"
    page, readme = publish.PAGE.read_text(), publish.README.read_text()
    assert publish.with_table(page, document) == page
    assert publish.with_highlights(readme, document) == readme
    assert publish.RESULT.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_the_readme_shows_each_highlighted_row_once():
    readme = publish.README.read_text()
    assert [readme.count(f"| {title} |") for title in publish.HIGHLIGHTS] == [1] * len(publish.HIGHLIGHTS)


def test_the_load_generator_is_shown_where_it_took_the_most():
    taken = [Taken("a", {}, 2.0, 0.1, 1.8), Taken("b", {}, 1.0, 0.2, 0.9), Taken("a", {}, 2.0, 0.1, 1.8)]
    line = report.busiest(taken)
    assert line == "the load generator took at most 20% of a core (b; the server 90%)"
