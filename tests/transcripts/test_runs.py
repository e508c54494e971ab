"""Replays of recorded exchanges about runs: statuses, bodies, event names and data of the official server.

``DIFFERENT`` lists every deliberate difference: the status here, and the id of the requirement with the reason.
``EVERYWHERE`` lists the fields that differ in all recordings.
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.server import Running, frames

HERE = Path(__file__).parent / "runs"
STREAMED = Path(__file__).parent / "graph"

EVERYWHERE = {
    "ids": "streams.ids",
    "errors": "rules.error_body",
    "langgraph_version langgraph_api_version langgraph_plan langgraph_host": "runs.config.persisted_metadata",
    "langgraph_api_url treadle_version run_attempt": "runs.config.persisted_metadata",
    "__context_provided__ __pregel_node_finished": "runs.config.persisted_metadata",
    "__langsmith_project__ __langsmith_example_id__": "runs.langsmith_tracer",
    "lc_versions langchain langchain-core langchain_core": "runs.config.persisted_metadata",
}
_IGNORED = {key for keys in EVERYWHERE for key in keys.split()}

UNKNOWN_RUN = "joining.unknown_run"
FEEDBACK = "runs.feedback_keys"
LISTS = "rules.lists"
VALIDATED = "rules.field_named"
NULL = "rules.null"
STARTS_AT_ONCE = "runs.create.starts_at_once"
FROM_THE_START = "joining.without_an_id"
EMPTY_THREAD = "runs.command.resume_empty_thread"

DIFFERENT: dict[str, dict[int, tuple[int, str]]] = {
    "cancel_errors": {7: (422, VALIDATED), 8: (422, VALIDATED)},
    "command_on_empty_thread": {0: (200, EMPTY_THREAD)},
    "context_config_metadata_merge": {
        10: (200, "runs.context.unknown_keys"),
    },
    "durability": dict.fromkeys((2, 5), (200, "runs.durability")),
    "error_background_resumable": {1: (200, "joining.error")},
    "error_wait": {2: (200, FROM_THE_START)},
    "errors_generic": {
        18: (422, "rules.malformed_id"),
        **dict.fromkeys((29, 38, 42, 43, 44, *range(46, 53), 54, 55, 56), (200, NULL)),
        40: (422, VALIDATED),
        **dict.fromkeys((34, 35, 45, 53), (200, NULL)),
    },
    "feedback_and_tracing_fields": {
        0: (200, FEEDBACK),
        1: (200, "runs.langsmith_tracer.session"),
        3: (422, VALIDATED),
        4: (200, "runs.strict_resume"),
    },
    "join_errors": dict.fromkeys((0, 1, 2, 3), (404, UNKNOWN_RUN)),
    "join_stream_default_modes": {3: (200, STARTS_AT_ONCE)},
    "resumable_join_replay": {1: (200, FROM_THE_START)},
    "runs_batch": {
        0: (200, NULL),
        5: (404, "runs.batch.thread_id"),
    },
    "runs_create_get_list_join_delete": {
        **dict.fromkeys((2, 3), (200, STARTS_AT_ONCE)),
        16: (422, VALIDATED),
        19: (422, VALIDATED),
        20: (422, VALIDATED),
    },
    "runs_list_select_json_array": {1: (200, LISTS), 2: (200, LISTS)},
    "runs_stateless_stream": dict.fromkeys((2, 6, 7, 8), (200, "joining.stateless")),
    "stream_mode_metadata_chain": {0: (200, "modes.metadata")},
}
WAITED = {"runs_stateless_create", "durability", "error_background_resumable"}
"""Their recorder waited for the end of each background run before it went on."""

_PLACEHOLDER = re.compile(r"<(uuid|hex|ts|sseid):\d+>")
_SHAPES = {
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "hex": r"[0-9a-f]{32}",
    "ts": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00",
    "sseid": r"\d+-\d+",
}


class Names:
    """What the placeholders of a transcript stand for in this replay."""

    def __init__(self) -> None:
        self.bound: dict[str, str] = {}

    def fill(self, value: Any) -> Any:
        """A request with its placeholders filled in; an id that nothing has is made up."""
        text = json.dumps(value)
        for match in _PLACEHOLDER.finditer(text):
            text = text.replace(match[0], self.bound.setdefault(match[0], str(uuid.uuid4())))
        return json.loads(text)

    def differences(self, recorded: Any, got: Any, at: str = "") -> list[str]:
        if isinstance(recorded, dict) and isinstance(got, dict):
            return self._objects(recorded, got, at)
        if isinstance(recorded, list) and isinstance(got, list):
            if len(recorded) != len(got):
                return [f"{at}: {len(recorded)} recorded, {len(got)} got: {recorded} {got}"]
            return [
                each
                for i, pair in enumerate(zip(recorded, got, strict=True))
                for each in self.differences(*pair, f"{at}[{i}]")
            ]
        if isinstance(recorded, str) and recorded == "<ms>":
            return [] if isinstance(got, int) else [f"{at}: {got!r} is no time"]
        if isinstance(recorded, str) and isinstance(got, str):
            return [] if self._same(recorded, got) else [f"{at}: {recorded!r} recorded, {got!r} got"]
        return [] if recorded == got and type(recorded) is type(got) else [f"{at}: {recorded!r} recorded, {got!r} got"]

    def _objects(self, recorded: dict[str, Any], got: dict[str, Any], at: str) -> list[str]:
        left = {key: value for key, value in recorded.items() if key not in _IGNORED}
        right = {key: value for key, value in got.items() if key not in _IGNORED}
        names = {key: next((k for k in right if self._same(key, k)), key) for key in left}
        if missing := [key for key in left if names[key] not in right]:
            return [f"{at}: lacks {missing}"]
        if added := set(right) - set(names.values()):
            return [f"{at}: has {sorted(added)} besides"]
        return [each for key in left for each in self.differences(left[key], right[names[key]], f"{at}.{key}")]

    def _same(self, recorded: str, got: str) -> bool:
        pattern, end, groups = "", 0, []
        for match in _PLACEHOLDER.finditer(recorded):
            pattern += re.escape(recorded[end : match.start()])
            known = self.bound.get(match[0]) if match[1] != "ts" else None
            pattern += re.escape(known) if known else f"({_SHAPES[match[1]]})"
            groups += [] if known else [match[0]]
            end = match.end()
        found = re.fullmatch(pattern + re.escape(recorded[end:]), got, re.DOTALL)
        if found:
            self.bound.update(zip(groups, found.groups(), strict=True))
        return found is not None


async def replay(server: Running, name: str, steps: list[dict[str, Any]]) -> None:
    names = Names()
    runs_on = {"<uuid:1>"} | {
        thread_of(step) for step in steps if step["method"] == "POST" and step.get("status", 200) < 400
    }
    for index, step in enumerate(steps):
        if name != "if_not_exists":
            await prepare(server, names, step, runs_on)
        answer = await ask(server, names, step)
        different = DIFFERENT.get(name, {}).get(index)
        status = different[0] if different else step.get("status", 200)
        assert answer.status_code == status, f"step {index} {step['method']} {step['path']}: {answer.text[:500]}"
        if status >= 400:
            assert answer.json()["detail"], index
            assert answer.json()["code"], index
        elif different is None:
            found = [*names.differences(*sides(step, answer)), *headers(names, step, answer)]
            assert not found, f"step {index} {step['method']} {step['path']}: {found}"
        if name in WAITED and step["path"].endswith("/runs") and status == 200 and step["method"] == "POST":
            await server.get(f"/runs/{answer.json()['run_id']}/join")


async def ask(server: Running, names: Names, step: dict[str, Any]) -> httpx.Response:
    body = {"content": step["content"]} if "content" in step else {"json": names.fill(step.get("json"))}
    return await server.http.request(
        step["method"],
        names.fill(step["path"]),
        params=step.get("query"),
        headers=names.fill(step.get("headers") or {}),
        **body,
    )


def headers(names: Names, step: dict[str, Any], answer: httpx.Response) -> list[str]:
    """The headers that SDKs rely on, of those that were recorded."""
    recorded: dict[str, str] = step.get("answers") or {}
    return [each for name in recorded for each in names.differences(recorded[name], answer.headers.get(name), name)]


def sides(step: dict[str, Any], answer: Any) -> tuple[Any, Any]:
    if "sse" not in step:
        return step.get("body"), answer.json() if answer.content else None
    recorded = [list(event) for event in step["sse"]]
    got = [[frame.event, frame.data, frame.id] for frame in frames(answer.content)]
    for left, right in zip(recorded, got, strict=False):
        if len(left) == 2 or left[2] is None:
            del left[2:], right[2:]
    return recorded, got


async def prepare(server: Running, names: Names, step: dict[str, Any], runs_on: set[str]) -> None:
    """Makes the threads that were there before the recording began."""
    thread = thread_of(step)
    if thread in runs_on and thread and thread not in names.bound:
        names.bound[thread] = await server.thread()


def thread_of(step: dict[str, Any]) -> str:
    found = re.match(r"/threads/(<uuid:\d+>)/", step["path"])
    return found[1] if found else ""


def load(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())


@pytest.mark.parametrize("path", sorted(HERE.glob("*.json")), ids=lambda path: path.stem)
async def test_a_recorded_exchange(server: Running, path: Path) -> None:
    await replay(server, path.stem, load(path))


async def test_recorded_streams(server: Running, subtests: Any) -> None:
    """All stream modes, interrupts, failures and subgraphs, as they were streamed."""

    for path in sorted(STREAMED.glob("*.json")):
        if not (HERE / path.name).exists() and path.stem != "thread_state_and_history":
            with subtests.test(path.stem):
                await replay(server, path.stem, load(path))
