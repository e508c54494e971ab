"""The demo's project: tools over real data, a script that uses what they find, and a real model where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from treadle.demo.cars import TOOLS, average_by, cars, top_cars, trend
from treadle.demo.scripted import STEPS, ScriptedModel

COLUMNS = ["Miles_per_Gallon", "Horsepower", "Weight_in_lbs", "Acceleration", "Displacement", "Cylinders"]


def test_the_data_is_the_packages():
    assert len(cars()) == 406
    assert {min(years := [car["Year"] for car in cars()]), max(years)} == {1970, 1982}


def test_what_the_tools_find():
    origins = json.loads(average_by.invoke({"column": "Miles_per_Gallon", "group_by": "Origin"}))
    assert [row["Origin"] for row in origins] == ["Japan", "Europe", "USA"]
    assert json.loads(top_cars.invoke({"column": "Miles_per_Gallon", "limit": 1}))[0]["Name"] == "mazda glc"
    assert json.loads(trend.invoke({"column": "Miles_per_Gallon"}))["from"] == 1970


@given(column=st.sampled_from(COLUMNS), limit=st.integers(-5, 500), origin=st.sampled_from([None, "Europe", "Japan"]))
def test_top_cars_are_sorted_bounded_and_of_the_origin(column, limit, origin):
    found = json.loads(top_cars.invoke({"column": column, "limit": limit, "origin": origin}))
    assert 1 <= len(found) <= 20
    assert [car[column] for car in found] == sorted((car[column] for car in found), reverse=True)
    assert {car["Origin"] for car in found} <= ({origin} if origin else {"Europe", "Japan", "USA"})


def test_the_script_calls_each_tool_and_answers_from_what_they_returned():
    tools = {tool.name: tool for tool in TOOLS}
    model = ScriptedModel(token_seconds=0)
    messages: list[Any] = [HumanMessage("which?")]
    for _, name, _ in STEPS:
        turn = model.invoke(messages)
        assert isinstance(turn, AIMessage)
        (call,) = turn.tool_calls
        assert call["name"] == name
        messages += [turn, ToolMessage(tools[name].invoke(call["args"]), tool_call_id=call["id"])]
    messages[2].content = messages[2].content.replace("30.5", "99.9")
    answer = model.invoke(messages)
    assert not answer.tool_calls
    assert "Japan were the most economical: 99.9 miles per gallon" in answer.text


def test_streaming_and_not_streaming_say_the_same():
    model = ScriptedModel(token_seconds=0)
    chunks = list(model.stream([HumanMessage("which?")]))
    assert len(chunks) > 10
    assert "".join(chunk.text for chunk in chunks) == model.invoke([HumanMessage("which?")]).text


class Compatible(BaseHTTPRequestHandler):
    """A server with the API of OpenAI's chat completions: first it calls a tool, then it answers."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)  # type: ignore[attr-defined]
        if asked["messages"][-1]["role"] == "tool":
            deltas: list[Any] = [{"content": word} for word in ("Four ", "wheels ", "each.")]
        else:
            call = {"name": "top_cars", "arguments": '{"column": "Horsepower", "limit": 1}'}
            deltas = [{"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}]}]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for delta in deltas:
            self._chunk([{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}])
        self._chunk([{"index": 0, "delta": {}, "finish_reason": "tool_calls" if "tool_calls" in deltas[0] else "stop"}])
        self.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, choices: list[Any]) -> None:
        chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": choices}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing."""


@pytest.fixture
def compatible() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Compatible) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def test_an_openai_compatible_model_is_used_where_the_environment_names_one(compatible):
    from treadle.cli.demonstration import CONFIG

    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "TREADLE_"))},
        "OPENAI_BASE_URL": f"http://127.0.0.1:{compatible.server_address[1]}",
        "OPENAI_MODEL": "small-one",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "treadle.cli", "run", "cars", "--config", str(CONFIG), "--message", "Which?"]
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "→ top_cars" in result.stdout
    assert "Four wheels each." in result.stdout
    assert {asked["model"] for asked in compatible.asked} == {"small-one"}
    assert "pontiac grand prix" in compatible.asked[-1]["messages"][-1]["content"]
