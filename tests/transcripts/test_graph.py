"""What a run streams is, event by event, what the official server streamed for the same graph."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
import pytest

from transcripts.graph_replay import TRANSCRIPTS, Replay, canonical

SCENARIOS = sorted(path.stem for path in TRANSCRIPTS.glob("*.json"))

OTHERWISE = {
    "command_on_empty_thread": "the official server fails with a TypeError; LangGraph runs the thread from its start",
    "context_config_metadata_merge": "tested on its own: the config of the run is merged by the caller",
    "thread_state_and_history": "tested on its own",
    "runs_stateless_stream": "its runs are told apart by the thread only",
}
"""Scenarios that are not replayed as they are."""


def steps(scenario: str) -> list[dict[str, Any]]:
    return json.loads((TRANSCRIPTS / f"{scenario}.json").read_text())


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in OTHERWISE])
def test_a_recorded_scenario_replays_event_by_event(scenario: str) -> None:
    async def main() -> None:
        replay = Replay()
        for step in steps(scenario):
            path = step["path"]
            if step["method"] == "POST" and path.endswith("/runs/stream"):
                events, _, _ = await replay.run(path, step["json"])
                assert canonical(events) == canonical(step["sse"])
            elif step["method"] == "POST" and path.endswith("/runs/wait"):
                _, ending, error = await replay.run(path, step["json"])
                body = {"__error__": error} if error else orjson.loads(ending.body())
                assert canonical(body) == canonical(step["body"])
            elif path.endswith("/state"):
                assert canonical(await replay.state(path)) == canonical(step["body"])

    asyncio.run(main())


def test_states_history_and_updates_replay_as_recorded() -> None:
    async def main() -> None:
        replay = Replay()
        checkpoints: dict[str, str] = {}
        for step in steps("thread_state_and_history"):
            got = await _read(replay, step, checkpoints)
            if got is not None:
                assert canonical(got) == canonical(step["body"]), step
                _bind(step["body"], got, checkpoints)

    asyncio.run(main())


async def _read(replay: Replay, step: dict[str, Any], ids: dict[str, str]) -> Any:
    path, body = step["path"], _bound(step["json"] or {}, ids)
    query = _bound(step.get("query") or {}, ids)
    if path.endswith("/runs/wait"):
        _, ending, _ = await replay.run(path, body)
        return orjson.loads(ending.body())
    if path.endswith("/history") and "select" not in body and "checkpoint" not in body:
        given = {**query, **body}
        before = given.get("before")
        before = before["configurable"]["checkpoint_id"] if isinstance(before, dict) else before
        limit, metadata = int(given.get("limit", 1)), given.get("metadata")
        return await replay.history(path, limit=limit, before=before, metadata=metadata)
    if path.endswith("/state") and step["method"] == "GET":
        return await replay.state(path)
    if path.endswith("/state") and "checkpoint" not in body and "checkpoint_id" not in body:
        written = await replay.update(path, values=body.get("values"), as_node=body.get("as_node"))
        return {"checkpoint": written, "configurable": written, "checkpoint_id": written["checkpoint_id"]}
    return None


def _bound(given: Any, ids: dict[str, str]) -> Any:
    text = json.dumps(given)
    for placeholder, actual in ids.items():
        text = text.replace(placeholder, actual)
    return json.loads(text)


def _bind(recorded: Any, got: Any, ids: dict[str, str]) -> None:
    """Learns which id of this replay a recorded placeholder stands for."""
    if isinstance(recorded, dict):
        for key in recorded:
            _bind(recorded[key], got[key], ids)
    elif isinstance(recorded, list):
        for left, right in zip(recorded, got, strict=True):
            _bind(left, right, ids)
    elif isinstance(recorded, str) and recorded.startswith("<uuid:"):
        ids[recorded] = got


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (None, {"model_name": "default-model", "temperature": 0.5}),
        ({"model_name": "m1"}, {"model_name": "m1", "temperature": 0.5}),
        ({"bogus": 1}, {"model_name": "default-model", "temperature": 0.5}),
        ({"model_name": "k", "temperature": 0.9}, {"model_name": "k", "temperature": 0.9}),
    ],
)
def test_a_context_fills_its_schema_and_unknown_keys_are_dropped(context: Any, expected: Any) -> None:
    async def main() -> None:
        body = {"assistant_id": "ctx", "input": {"seen": {}}, "context": context}
        _, ending, error = await Replay().run("/runs/wait", body)
        assert error is None
        assert orjson.loads(ending.body())["seen"]["context"] == expected

    asyncio.run(main())


def test_configurable_tags_and_limit_reach_the_node() -> None:
    async def main() -> None:
        _, ending, _ = await Replay().run("/runs/wait", {"assistant_id": "ctx", "input": {"seen": {}}})
        recorded = steps("context_config_metadata_merge")[0]["body"]["seen"]
        seen = orjson.loads(ending.body())["seen"]
        assert set(seen["configurable"]) == set(recorded["configurable"])
        assert set(seen["metadata"]) == set(recorded["metadata"])

    asyncio.run(main())


def test_resuming_an_empty_thread_runs_it_from_its_start() -> None:
    async def main() -> None:
        (step,) = steps("command_on_empty_thread")
        _, ending, error = await Replay().run(step["path"], step["json"])
        assert error is None
        assert ending.interrupted
        assert ending.values == b'{"log":["before"]}'

    asyncio.run(main())
