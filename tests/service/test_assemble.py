"""Assistant, thread and request merged into a run: one table of what wins (docs/http.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from treadle.model import Assistant, RunCreate, Thread
from treadle.ports.records import NewRun
from treadle.service.request import Submission, assemble

NOW = 1_700_000_000_000_000
AT = datetime(2026, 1, 1, tzinfo=UTC)


def made(
    request: dict[str, Any], *, assistant: dict[str, Any] | None = None, thread: Any = None, stateless: bool = False
) -> NewRun:
    parts = {"config": {}, "context": {}, "metadata": {}, **(assistant or {})}
    return assemble(
        msgspec.convert({"assistant_id": "a", **request}, RunCreate),
        Assistant(assistant_id="a", graph_id="g", name="A", created_at=AT, updated_at=AT, version=1, **parts),
        Thread(
            thread_id="t",
            created_at=AT,
            updated_at=AT,
            state_updated_at=AT,
            metadata=thread or {},
            status="idle",
            config={},
        ),
        "r",
        NOW,
        Submission(request_id="q"),
        temporary=stateless,
        stateless=stateless,
    )


def config(**more: Any) -> dict[str, Any]:
    return {"config": more}


@pytest.mark.parametrize(
    ("assistant", "request_", "expected"),
    [
        ({}, {}, {}),
        ({"context": {"m": "a", "k": 1}}, {}, {"m": "a", "k": 1}),
        ({"context": {"m": "a", "k": 1}}, {"context": {"m": "r"}}, {"m": "r", "k": 1}),
        ({}, config(configurable={"m": "c"}), {"m": "c"}),
        ({"context": {"m": "a"}}, config(configurable={"m": "c", "x": 1}), {"m": "c", "x": 1}),
    ],
)
def test_context_and_configurable_mirror_each_other_key_by_key(assistant: Any, request_: Any, expected: Any) -> None:
    kwargs = made(request_, assistant=assistant).kwargs
    assert kwargs["context"] == expected
    configurable = kwargs["config"]["configurable"]
    assert {key: configurable[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("assistant", "request_", "tags", "limit"),
    [
        ({}, {}, None, None),
        (config(tags=["a"], recursion_limit=11), {}, ["a"], 11),
        (config(tags=["a"], recursion_limit=11), config(tags=["r"]), ["r"], 11),
        (config(tags=["a"]), config(tags=[], recursion_limit=7), None, 7),
        (config(tags=["a"], recursion_limit=11), config(tags=["r"], recursion_limit=3), ["r"], 3),
    ],
)
def test_tags_and_limits_of_the_request_replace_the_assistants(
    assistant: Any, request_: Any, tags: Any, limit: Any
) -> None:
    given = made(request_, assistant=assistant).kwargs["config"]
    assert (given.get("tags"), given.get("recursion_limit")) == (tags, limit)


@pytest.mark.parametrize(
    ("stateless", "expected"),
    [
        (False, {"am": 2, "tm": 1, "both": "thread", "rm": 9, "assistant_id": "a", "graph_id": "g"}),
        (True, {"am": 2, "both": "assistant", "rm": 9, "assistant_id": "a"}),
    ],
)
def test_metadata_is_the_assistants_then_the_threads_then_the_requests(stateless: bool, expected: Any) -> None:
    assistant = {"metadata": {"am": 1, "both": "assistant"}}
    run = made(
        {"metadata": {"am": 2, "rm": 9}}, assistant=assistant, thread={"tm": 1, "both": "thread"}, stateless=stateless
    )
    assert run.metadata == expected
    assert run.kwargs["config"]["metadata"].items() >= expected.items()
    assert run.kwargs["temporary"] is stateless


def test_nobody_can_say_who_they_are_in_the_configurable() -> None:
    """What the server knows of a run wins over what the request says of it."""
    own = {
        "run_id": "x",
        "thread_id": "x",
        "graph_id": "x",
        "assistant_id": "x",
        "user_id": "x",
        "langgraph_auth_user": "x",
    }
    configurable = made(config(configurable=own)).kwargs["config"]["configurable"]
    assert [configurable[key] for key in own] == ["r", "t", "g", "a", "", None]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ["values"]),
        ([], ["values"]),
        ("debug", ["debug"]),
        (["updates", "values", "updates"], ["updates", "values"]),
    ],
)
def test_stream_modes_fold(given: Any, expected: list[str]) -> None:
    assert made({"stream_mode": given}).kwargs["stream_mode"] == expected


@pytest.mark.parametrize(
    ("given", "durability"),
    [
        ({}, "async"),
        ({"checkpoint_during": True}, "async"),
        ({"checkpoint_during": False}, "exit"),
        ({"checkpoint_during": False, "durability": "sync"}, "sync"),
        ({"durability": "exit"}, "exit"),
    ],
)
def test_durability_and_what_it_was_called_before(given: Any, durability: str) -> None:
    kwargs = made(given).kwargs
    assert (kwargs["durability"], kwargs["checkpoint_during"]) == (durability, durability != "exit")


@pytest.mark.parametrize(("seconds", "later"), [(None, 0), (0, 0), (-5, 0), (1.5, 1_500_000), (2, 2_000_000)])
def test_a_delay_moves_when_it_is_due(seconds: Any, later: int) -> None:
    assert made({"after_seconds": seconds}).available_at == NOW + later


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"checkpoint_id": "c"}, {"checkpoint_id": "c"}),
        (
            {"checkpoint": {"checkpoint_id": "d", "checkpoint_ns": "", "thread_id": "other"}},
            {"checkpoint_id": "d", "checkpoint_ns": "", "thread_id": "t"},
        ),
        ({"checkpoint": {"checkpoint_map": {"": "m"}}}, {"checkpoint_map": {"": "m"}}),
        (config(configurable={"checkpoint_id": "e"}), {"checkpoint_id": "e"}),
    ],
)
def test_where_a_run_forks_from(given: Any, expected: Any) -> None:
    assert made(given).kwargs["config"]["configurable"].items() >= expected.items()
