"""Replays of recorded exchanges about assistants, threads, the store and the system: statuses and bodies.

``DIFFERENT`` lists every deliberate difference by step: the status here, and the id of the requirement with the reason.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.serving import Served

TRANSCRIPTS = Path(__file__).parent / "records"
MARK = re.compile(r"<(uuid|ts):\d+>")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")

BY_NAME = "assistants.get.by_name"
CONTEXT = "assistants.latest"
SCHEMAS = "assistants.schemas"
COPY = "threads.copy.values"
NAMESPACE = "threads.state.namespace"

DIFFERENT: dict[str, dict[int, tuple[int, str]]] = {
    "assistants_crud": {
        8: (200, BY_NAME),
        14: (200, BY_NAME),
        20: (200, CONTEXT),
        21: (200, CONTEXT),
        23: (422, "assistants.latest.no_version"),
        25: (200, CONTEXT),
        32: (200, CONTEXT),
        39: (409, "assistants.delete.of_a_graph"),
        40: (409, BY_NAME),
    },
    "threads_crud": {
        11: (200, "threads.get.ttl"),
        26: (200, COPY),
        27: (200, COPY),
        30: (404, "threads.copy.unknown"),
        31: (200, "threads.storage"),
    },
    "thread_state_and_history": {
        8: (200, "threads.history.before"),
        13: (200, "threads.history.select"),
        18: (200, NAMESPACE),
        19: (200, NAMESPACE),
        20: (200, NAMESPACE),
        24: (200, "threads.history.select"),
    },
    "assistants_graph_schemas_subgraphs": dict.fromkeys((8, 9, 12, 13, 14), (200, SCHEMAS)),
    "store": {
        12: (200, "store.search.no_prefix"),
        15: (200, "store.search.limit_0"),
    },
    "threads_delete_busy": {3: (200, COPY)},
    "threads_search_values": {1: (200, "threads.search.values")},
    "threads_supersteps": {4: (422, "threads.supersteps.no_graph")},
    "system": {
        2: (200, "system.info"),
        3: (200, "system.metrics"),
    },
}
SETUP = dict.fromkeys(("thread_state_and_history", "threads_delete_busy", "threads_search_values"), "<uuid:1>")
"""Threads that were there before the recording began."""
OWN_METADATA = ("source", "step", "parents")
"""What LangGraph itself puts into the metadata of a checkpoint; the rest says which server ran it."""


def steps(name: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    transcript = json.loads((TRANSCRIPTS / f"{name}.json").read_text())
    return transcript["steps"], transcript["volatile"]


class Names:
    """What the placeholders of a transcript stand for here."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        self._recorded = recorded
        self._bound: dict[str, str] = {}

    def fill(self, value: Any) -> Any:
        """A request with the placeholders filled in; one not met yet is what it was when it was recorded."""
        text = json.dumps(value)
        return json.loads(MARK.sub(lambda m: self._bound.get(m[0]) or str(self._recorded[m[0]]), text))

    def differences(self, theirs: Any, ours: Any, place: str = "") -> list[str]:
        if isinstance(theirs, dict) and isinstance(ours, dict):
            return self._fields(theirs, ours, place)
        if isinstance(theirs, list) and isinstance(ours, list):
            if len(theirs) != len(ours):
                return [f"{place}: {len(ours)} items, not {len(theirs)}"]
            return [
                d
                for i, pair in enumerate(zip(theirs, ours, strict=True))
                for d in self.differences(*pair, f"{place}[{i}]")
            ]
        if isinstance(theirs, str) and MARK.fullmatch(theirs):
            return self._placeholder(theirs, ours, place)
        if theirs == "<ms>":
            return [] if isinstance(ours, int) else [f"{place}: {ours!r} is no time"]
        return [] if theirs == ours else [f"{place}: {ours!r}, not {theirs!r}"]

    def _fields(self, theirs: dict[str, Any], ours: dict[str, Any], place: str) -> list[str]:
        if place.endswith("metadata") and set(OWN_METADATA) <= set(theirs):
            theirs, ours = ({key: each.get(key) for key in OWN_METADATA} for each in (theirs, ours))
        shared = [key for key in theirs if key in ours]
        inside = [d for key in shared for d in self.differences(theirs[key], ours[key], f"{place}.{key}")]
        if set(theirs) == set(ours):
            return inside
        return [f"{place}: has {sorted(set(ours) - set(theirs))}, lacks {sorted(set(theirs) - set(ours))}", *inside]

    def _placeholder(self, name: str, ours: Any, place: str) -> list[str]:
        if name.startswith("<ts"):
            return [] if isinstance(ours, str) and TIME.fullmatch(ours) else [f"{place}: {ours!r} is no time"]
        bound = self._bound.setdefault(name, ours)
        return [] if bound == ours else [f"{place}: {ours!r}, but {name} is {bound!r}"]


@pytest.mark.parametrize("name", sorted(DIFFERENT))
async def test_transcript(api: Served, name: str) -> None:
    recorded, volatile = steps(name)
    different = DIFFERENT[name]
    names = Names(volatile)

    if name in SETUP:
        assert (await api.http.post("/threads", json={"thread_id": volatile[SETUP[name]]})).status_code == 200
    for number, step in enumerate(recorded):
        found = await differences(api, names, step)
        status, reason = different.get(number, (step["response"]["status"], ""))
        said = f"step {number}, {step['request']['method']} {step['request']['path']}"
        assert found[0] == status, (said, reason, found)
        assert bool(found[1:]) == (number in different), (said, reason, found)


async def differences(api: Served, names: Names, step: dict[str, Any]) -> list[Any]:
    """Our status, and what is different in our answer."""
    request, theirs = names.fill(step["request"]), step["response"]
    content = json.dumps(request["json"]).encode() if "json" in request else b""
    response = await api.http.request(
        request["method"],
        request["path"],
        params=request.get("query"),
        headers=request.get("headers"),
        content=content,
    )
    if response.status_code != theirs["status"]:
        return [response.status_code, f"status {response.status_code}, not {theirs['status']}"]
    if response.status_code >= 300 or not response.content or request["method"] == "HEAD":
        return [response.status_code]
    if "body_text" in theirs:
        return [response.status_code, *names.differences(theirs["body_text"], response.text)]
    return [response.status_code, *names.differences(theirs["body"], response.json())]
