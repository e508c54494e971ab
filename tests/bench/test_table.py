"""The table, the published pages and the picture show the figures of the rounds."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from benchmarks import plot, publish, report
from benchmarks.comparison import ROWS, Result, compare
from rich.console import Console

from treadle.bench.cases import Measurement

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


def by_title(*rounds: dict[str, float]) -> dict[str, Result]:
    """Return the results by title, because two rows may have the same figure."""
    return {result.row.of.title: result for result in compare(rounds)}


def test_ratios_say_how_many_times_better_treadle_is():
    rows = by_title(ROUND)
    streams, first = rows["threaded streams, 16 in flight"], rows["first event, one run after another"]
    assert (streams.to_bare, streams.to_other) == (2.0, 10.0)
    assert (first.to_other, first.over) == (300.0, 2.0)  # less is better for a time
    assert rows["memory when idle"].to_other == pytest.approx(100 / 120)


def test_targets_are_met_or_missed():
    verdicts = {title: result.verdicts() for title, result in by_title(ROUND).items()}
    assert verdicts["threaded streams, 16 in flight"] == [("≥ 1.2 × bare", True), ("≥ 5 × langgraph dev", True)]
    assert verdicts["first event, one run after another"][0] == ("≤ 4 ms over bare", True)
    assert verdicts["memory when idle"] == [("better than langgraph dev", False)]
    assert verdicts["… to one on a new thread"] == [("≤ 1.3 ×", True)]


def test_a_target_without_a_measurement_is_neither_met_nor_missed():
    alone = {name: value for name, value in ROUND.items() if not name.startswith("other.")}
    verdicts = by_title(alone)["threaded streams, 16 in flight"].verdicts()
    assert verdicts == [("≥ 1.2 × bare", True), ("≥ 5 × langgraph dev", None)]


def test_figures_are_medians_and_ratios_are_medians_of_the_rounds_ratios():
    rounds = [{**ROUND, "treadle.threaded_stream_16": ours} for ours in (300.0, 150.0, 450.0)]
    rounds[0]["bare.chain_with_saver_16"] = 600.0
    result = by_title(*rounds)["threaded streams, 16 in flight"]
    assert (result.value, result.bare, result.to_bare) == (300.0, 150.0, 1.0)


def test_a_figure_of_only_one_round_is_compared_within_that_round():
    rounds = [{**ROUND, "treadle.readers": 800.0, "other.readers": 4.0}, {**ROUND, "treadle.readers": 600.0}]
    result = by_title(*rounds)["one run, 500 readers: delivered"]
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
    console.print(report.table(compare(rounds), "title", report.headings(other)))
    return console.export_text()


def test_the_table_shows_both_comparisons(tmp_path: Path):
    text = printed([ROUND], "langgraph dev")
    line = next(line for line in text.splitlines() if "threaded streams, 16 in flight" in line)
    cells = "threaded streams, 16 in flight runs/s 300 150 2.00 30 10 ≥ 1.2 × bare met, ≥ 5 × langgraph dev met"
    assert " ".join(line.split()) == cells
    assert "langgraph dev" not in printed([ROUND], None).splitlines()[2]


def test_the_markdown_is_the_same_table():
    lines = report.markdown(compare([ROUND]), report.headings("langgraph dev")).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert any("| memory when idle | MiB | 120 |" in line and "**missed**" in line for line in lines)


def test_a_document_can_be_stored_as_json_and_drawn(tmp_path: Path):
    measurements = [Measurement("threaded_stream_16", {"threaded_stream_16": 300.0}, 2.0, 0.1, 1.8)]
    document = report.document(compare([ROUND]), [ROUND], measurements, 0.5, other="langgraph dev")
    again = json.loads(json.dumps(document))
    assert again["processors"] == {"threaded_stream_16": {"load": 0.05, "server": 0.9}}
    assert {"cores", "system", "load_before"} <= again["machine"].keys()
    plot.draw(again, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_result_replaces_the_text_between_the_markers_of_a_page():
    document = report.document(compare([ROUND]), [ROUND], [], 0.5, other="langgraph dev")
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


def test_the_case_with_the_busiest_load_generator_is_shown():
    measurements = [
        Measurement("a", {}, 2.0, 0.1, 1.8),
        Measurement("b", {}, 1.0, 0.2, 0.9),
        Measurement("a", {}, 2.0, 0.1, 1.8),
    ]
    line = report.busiest(measurements)
    assert line == "the load generator took at most 20% of a core (b; the server 90%)"
