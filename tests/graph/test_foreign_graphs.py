"""Third-party graphs stream, interrupt and resume unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import orjson
import pytest
from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph.types import interrupt
from langgraph_supervisor import create_supervisor
from langgraph_swarm import create_handoff_tool, create_swarm

from treadle.graph.factory import compiled
from treadle.graph.stream import GraphResult, Invocation, stream
from treadle.model import Command


class Scripted(BaseChatModel):
    """Says one line of its script after another: ``"words"``, or ``(tool, arguments)`` to call a tool."""

    script: list[Any]
    said: list[int]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _line(self) -> Any:
        self.said.append(1)
        return self.script[len(self.said) - 1]

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        line = self._line()
        calls: Any = [] if isinstance(line, str) else [{"name": line[0], "args": line[1], "id": str(uuid4())}]
        message = AIMessage(line if isinstance(line, str) else "", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        line = self._line()
        if isinstance(line, str):
            for word in line.split(" "):
                yield ChatGenerationChunk(message=AIMessageChunk(word + " "))
            return
        call: Any = {"name": line[0], "args": orjson.dumps(line[1]).decode(), "id": str(uuid4()), "index": 0}
        yield ChatGenerationChunk(message=AIMessageChunk("", tool_call_chunks=[call]))


@tool
def confirm(what: str) -> str:
    """Asks a person."""
    return f"{what}: {interrupt({'confirm': what})}"


def deep_agent() -> Any:
    script = [("write_file", {"file_path": "/a.txt", "content": "x"}), ("confirm", {"what": "deep"}), "all done"]
    return create_deep_agent(model=Scripted(script=script, said=[]), tools=[confirm])


def supervisor() -> Any:
    worker = create_agent(Scripted(script=[("confirm", {"what": "work"}), "worked"], said=[]), [confirm], name="worker")
    boss = Scripted(script=[("transfer_to_worker", {}), "all done"], said=[])
    return create_supervisor([worker], model=boss)


def swarm() -> Any:
    handoff = create_handoff_tool(agent_name="bob")
    alice = create_agent(Scripted(script=[("transfer_to_bob", {})], said=[]), [handoff], name="alice")
    bob = create_agent(Scripted(script=[("confirm", {"what": "swarm"}), "all done"], said=[]), [confirm], name="bob")
    return create_swarm([alice, bob], default_active_agent="alice")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", [deep_agent, supervisor, swarm])
@pytest.mark.parametrize("subgraphs", [True, False])
async def test_it_streams_interrupts_and_resumes(make: Any, subgraphs: bool) -> None:
    graph = compiled("g", make())
    saver, store = InMemorySaver(), InMemoryStore()

    async def go(**asked: Any) -> tuple[list[str], GraphResult]:
        result, names = GraphResult(), list[str]()
        configurable: Any = {"thread_id": "t", "run_id": str(uuid4()), "graph_id": "g"}
        modes: Any = ["values", "updates", "messages-tuple", "tasks"]
        invocation = Invocation(config={"configurable": configurable}, modes=modes, subgraphs=subgraphs, **asked)
        async for parts in stream(graph, invocation, saver=saver, store=store, result=result):
            names.extend(mode for mode, _, data in parts if orjson.loads(data) is not None)
        return names, result

    names, asked = await go(input={"messages": [{"role": "user", "content": "go"}]})
    assert {"values", "updates", "tasks"} <= set(names)
    assert "messages" in names or not subgraphs  # a model inside a subgraph that has not ended yet
    assert asked.interrupted
    assert len(asked.wait_interrupts) == 1
    names, ended = await go(command=Command(resume={asked.wait_interrupts[0]["id"]: "yes"}))
    assert not ended.interrupted
    last = orjson.loads(ended.body())["messages"][-1]
    assert last["content"].strip() == "all done"
