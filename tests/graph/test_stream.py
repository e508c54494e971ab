from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import orjson
import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command as GraphCommand
from langgraph.types import Send, interrupt

from support.graphs import golden
from treadle.graph.factory import compiled
from treadle.graph.stream import GraphResult, Invocation, settle_state, stream
from treadle.model import Command, SendRequest


class State(TypedDict, total=False):
    n: Annotated[list[Any], operator.add]


class Bench:
    """One thread on one saver and store."""

    def __init__(self) -> None:
        self.saver, self.store = InMemorySaver(), InMemoryStore()
        self.config: Any = {"configurable": {"thread_id": "t", "run_id": str(uuid4()), "graph_id": "g"}}

    async def run(self, graph: Any, result: GraphResult | None = None, **asked: Any) -> list[tuple[str, Any]]:
        events: list[tuple[str, Any]] = []
        result = result or GraphResult()
        config = asked.pop("config", self.config)
        if not asked.get("resume"):  # to LangGraph, a run of the same id is the same run going on
            config["configurable"]["run_id"] = str(uuid4())
        invocation = Invocation(config=config, **asked)
        async for parts in stream(graph, invocation, saver=self.saver, store=self.store, result=result):
            events.extend((f"{mode}|{ns}" if ns else mode, orjson.loads(data)) for mode, ns, data in parts)
        return events

    async def end(self, graph: Any, **asked: Any) -> GraphResult:
        result = GraphResult()
        await self.run(graph, result, **asked)
        return result


def graph_of(*nodes: Callable[..., Any], **compile_with: Any) -> Any:
    builder = StateGraph(State)
    builder.add_sequence([(node.__name__, node) for node in nodes])
    builder.add_edge(START, nodes[0].__name__)
    return builder.compile(**compile_with)


# --- what a graph runs on ---------------------------------------------------------------------------------------------


async def test_our_saver_and_store_win_over_what_a_graph_was_compiled_with() -> None:
    seen: list[Any] = []

    def keep(state: State, runtime: Runtime) -> State:
        seen.append(runtime.store)
        return {"n": [1]}

    own_saver, own_store = InMemorySaver(), InMemoryStore()
    inner = graph_of(keep, checkpointer=own_saver, store=own_store)
    outer = StateGraph(State).add_node("inner", inner).add_edge(START, "inner")
    bench = Bench()
    for graph in (inner, outer.compile(checkpointer=own_saver, store=own_store)):
        result = await bench.end(graph, input={"n": [0]}, durability="sync")
        assert result.values is not None
    assert not list(own_saver.list(None))
    assert list(bench.saver.list(None))
    assert all(store is bench.store for store in seen)
    assert len(seen) == 2


async def test_a_graph_that_never_saves_is_saved_here() -> None:
    def node(state: State) -> State:
        return {"n": [interrupt("q")]}

    graph = compiled("g", graph_of(node, checkpointer=False))
    bench = Bench()
    assert (await bench.end(graph, input={"n": []})).interrupted
    assert (await bench.end(graph, command=Command(resume=1))).values == b'{"n":[1]}'


async def test_a_functional_graph_streams_interrupts_and_resumes() -> None:
    @task
    async def double(n: int) -> int:
        return n * 2

    @entrypoint()
    async def work(n: int, *, previous: Any = None) -> dict[str, Any]:
        return {"doubled": await double(n), "answer": interrupt("sure?"), "previous": previous}

    bench = Bench()
    result = GraphResult()
    events = await bench.run(work, result, input=2, modes=["values", "updates"])
    assert events[0] == ("updates", {"double": 4})
    assert events[1][1]["__interrupt__"][0]["value"] == "sure?"
    assert result.interrupted
    assert orjson.loads(result.body())["__interrupt__"][0]["value"] == "sure?"
    result = await bench.end(work, command=Command(resume="yes"))
    assert orjson.loads(result.body()) == {"doubled": 4, "answer": "yes", "previous": None}
    assert not result.interrupted


@tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


class Scripted(GenericFakeChatModel):
    """Calls ``add`` once, then answers word by word."""

    messages: Any = None

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        call: Any = {"name": "add", "args": '{"a": 1, "b": 2}', "id": "c1", "index": 0}
        words = ["it ", "is ", "3"] if messages[-1].type == "tool" else []
        calls = [] if words else [call]
        for word in words or [""]:
            yield ChatGenerationChunk(message=AIMessageChunk(word, tool_call_chunks=calls))


async def test_an_agent_of_langchain_streams_its_tokens_and_tool_calls() -> None:
    agent = create_agent(Scripted(), [add])
    bench, result = Bench(), GraphResult()
    events = await bench.run(
        agent,
        result,
        input={"messages": [{"role": "user", "content": "1+2?"}]},
        modes=["messages-tuple", "updates"],
    )
    tokens = [data[0] for name, data in events if name == "messages" and data[0]["type"] == "AIMessageChunk"]
    assert "".join(token["content"] for token in tokens) == "it is 3"
    assert [data[0]["content"] for name, data in events if name == "messages" and data[0]["type"] == "tool"] == ["3"]
    kinds = [message["type"] for message in orjson.loads(result.body())["messages"]]
    assert kinds == ["human", "ai", "tool", "ai"]


# --- endings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modes", [["values"], ["updates"], ["custom"], ["events"], ["metadata"], []])
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_the_final_state_is_known_whatever_was_streamed(modes: Any, durability: Any) -> None:
    result = await Bench().end(golden.chain, input={"n": ["in"]}, modes=modes, durability=durability)
    assert result == GraphResult(values=b'{"n":["in",0,1,2]}')


async def test_only_what_was_asked_for_is_streamed() -> None:
    assert await Bench().run(golden.hil, input={"log": []}, modes=["metadata"]) == []
    events = await Bench().run(golden.nested, input={"n": []}, modes=["custom"], subgraphs=True)
    assert events == []


@pytest.mark.parametrize("subgraphs", [True, False])
@pytest.mark.parametrize("modes", [["custom"], ["values"], ["events", "updates"]])
async def test_an_interrupt_inside_a_sub_graph_is_an_interrupt_of_the_run(subgraphs: bool, modes: Any) -> None:
    bench = Bench()
    result = await bench.end(golden.hil_sub, input={"log": []}, subgraphs=subgraphs, modes=modes)
    ((waiting,),) = result.interrupts.values()
    assert result.interrupted
    assert result.values == b'{"log":["pre"]}'
    assert waiting["value"] == {"question": "ok?"}
    assert result.wait_interrupts == [{**waiting, "response_schema": None}]
    resumed = await bench.end(golden.hil_sub, command=Command(resume="yes"), subgraphs=subgraphs, modes=modes)
    assert not resumed.interrupted
    assert orjson.loads(resumed.body()) == {"log": ["pre", "pre", "ask"], "answer": "yes"}


async def test_stopping_after_the_last_node_leaves_nothing_to_continue() -> None:
    result = await Bench().end(golden.chain, input={"n": []}, interrupt_after=["n2"])
    assert not result.interrupted
    assert result.values == b'{"n":[0,1,2]}'


async def test_stopping_before_a_node_is_an_interruption_without_a_question() -> None:
    result = await Bench().end(golden.chain, input={"n": []}, interrupt_before=["n1"])
    assert result == GraphResult(values=b'{"n":[0]}', interrupted=True)
    assert result.body() == b'{"n":[0]}'


async def test_state_that_was_not_streamed_is_read_where_there_is_one() -> None:
    bench = Bench()
    await bench.end(golden.chain, input={"n": ["in"]})
    assert (await bench.end(golden.chain, input=None)).values == b'{"n":["in",0,1,2]}'


# --- commands ---------------------------------------------------------------------------------------------------------


async def test_a_command_takes_updates_in_both_forms_and_any_mix_of_targets() -> None:
    bench = Bench()
    await bench.end(golden.goto, input={"n": ["in"]})
    for update in ({"n": ["u"]}, [("n", ["u"])], [["n", ["u"]]]):
        command = Command(update=update, goto=[SendRequest(node="y", input={"n": []}), "x"])  # type: ignore[arg-type]
        result = await bench.end(golden.goto, command=command)
        state = orjson.loads(result.values or b"")["n"]
        assert state[-3] == "u"
        assert sorted(state[-2:]) == ["x", "y"]


async def test_a_strict_resume_that_answers_nothing_waiting_fails_and_changes_nothing() -> None:
    bench = Bench()
    before = await bench.end(golden.hil, input={"log": []})
    stray = Command(resume={"0" * 32: "x"})
    with pytest.raises(Exception, match="Unknown or already-consumed") as caught:
        await bench.end(golden.hil, command=stray, strict_resume=True)
    assert type(caught.value).__name__ == "UnknownInterruptError"
    assert await settle_state(golden.hil, bench.config, bench.saver, bench.store) == before


# --- failure, cancel, another attempt ---------------------------------------------------------------------------------


@pytest.mark.parametrize("modes", [["values"], ["events"], ["updates", "messages"]])
async def test_what_the_graph_raises_is_raised_after_its_events(modes: Any) -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="boom message"):
        await bench.run(golden.boom_graph, input={"n": []}, modes=modes)
    settled = await settle_state(golden.boom_graph, bench.config, bench.saver, bench.store)
    assert settled.values == b'{"n":[0]}'
    assert settled.interrupted


@pytest.mark.parametrize("modes", [["values"], ["events"], ["custom", "messages"]])
async def test_cancelling_stops_the_node_at_once_and_leaves_no_task(modes: Any) -> None:
    entered, stopped = asyncio.Event(), asyncio.Event()

    async def first(state: State) -> State:
        return {"n": [1]}

    async def hang(state: State) -> State:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return {}

    bench, graph = Bench(), graph_of(first, hang)
    around = asyncio.all_tasks()
    running = asyncio.create_task(bench.run(graph, input={"n": [0]}, modes=modes))
    await asyncio.wait_for(entered.wait(), 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 10)
    await asyncio.wait_for(stopped.wait(), 10)
    assert asyncio.all_tasks() == around
    settled = await settle_state(graph, bench.config, bench.saver, bench.store)
    assert settled.values == b'{"n":[0,1]}'
    assert settled.interrupted


@pytest.mark.parametrize("modes", [["values"], ["events"]])
async def test_closing_the_stream_stops_the_graph(modes: Any) -> None:
    bench, around = Bench(), asyncio.all_tasks()
    invocation = Invocation(config=bench.config, input={"delay": 60.0}, modes=modes)
    running = stream(golden.sleeper, invocation, saver=bench.saver, store=bench.store, result=GraphResult())
    await asyncio.wait_for(anext(running), 10)
    await asyncio.wait_for(running.aclose(), 10)
    assert asyncio.all_tasks() == around


async def test_another_attempt_goes_on_from_the_last_checkpoint_without_the_input() -> None:
    fail = True

    def first(state: State) -> State:
        return {"n": ["first"]}

    def second(state: State) -> State:
        if fail:
            raise RuntimeError("crash")
        return {"n": ["second"]}

    bench, graph = Bench(), graph_of(first, second)
    with pytest.raises(RuntimeError, match="crash"):
        await bench.run(graph, input={"n": ["in"]})
    fail = False
    result = await bench.end(graph, input={"n": ["in"]}, resume=True)
    assert result.values == b'{"n":["in","first","second"]}'


async def test_another_attempt_does_not_fork_again() -> None:
    bench = Bench()
    await bench.end(golden.chain, input={"n": ["in"]})
    history = [state async for state in golden.chain.aget_state_history(_lent(bench))]
    fork = {"configurable": {**bench.config["configurable"], "checkpoint_id": _id_of(history[2])}}
    assert (await bench.end(golden.chain, config=fork, interrupt_before=["n2"])).values == b'{"n":["in",0,1]}'
    assert (await bench.end(golden.chain, config=fork, resume=True)).values == b'{"n":["in",0,1,2]}'


def _lent(bench: Bench) -> Any:
    return {"configurable": {**bench.config["configurable"], "__pregel_checkpointer": bench.saver}}


def _id_of(state: Any) -> str:
    return state.config["configurable"]["checkpoint_id"]


@pytest.mark.parametrize("by_id", [True, False])
async def test_another_attempt_of_a_resume_still_has_the_answer(by_id: bool) -> None:
    crash = True

    def ask(state: State) -> State:
        if crash and state["n"] == ["asked"]:
            raise RuntimeError("crash before the answer is read")
        return {"n": [interrupt("q")]}

    bench, graph = Bench(), graph_of(ask)
    crash = False
    (waiting,) = (await bench.end(graph, input={"n": ["asked"]})).wait_interrupts
    crash = True
    command = Command(resume={waiting["id"]: "A"} if by_id else "A")
    with pytest.raises(RuntimeError, match="crash"):
        await bench.end(graph, command=command, strict_resume=True)
    crash = False
    result = await bench.end(graph, command=command, strict_resume=True, resume=True)
    assert result == GraphResult(values=b'{"n":["asked","A"]}')
    assert (await bench.end(graph, command=command, strict_resume=True, resume=True)).values == result.values


async def test_sends_and_commands_of_nodes_are_streamed_as_updates() -> None:
    def fan(state: State) -> GraphCommand[Any]:
        return GraphCommand(update={"n": ["fan"]}, goto=[Send("leaf", {"k": 1}), Send("leaf", {"k": 2})])

    builder = StateGraph(State).add_node("fan", fan).add_node("leaf", lambda sent: {"n": [sent["k"]]})
    graph = builder.add_edge(START, "fan").add_edge("leaf", END).compile()
    events = await Bench().run(graph, input={"n": []}, modes=["updates"])
    assert events[0] == ("updates", {"fan": {"n": ["fan"]}})
    assert sorted(data["leaf"]["n"][0] for _, data in events[1:]) == [1, 2]


async def test_cancelling_does_not_wait_for_a_node_that_blocks_its_thread() -> None:
    loop = asyncio.get_running_loop()
    entered, release = asyncio.Event(), threading.Event()

    def block(state: State) -> State:
        loop.call_soon_threadsafe(entered.set)
        release.wait(20)
        return {"n": [1]}

    bench, graph = Bench(), graph_of(block)
    running = asyncio.create_task(bench.run(graph, input={"n": [0]}))
    await asyncio.wait_for(entered.wait(), 10)
    running.cancel()
    try:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 10)
        assert not release.is_set()
        settled = await settle_state(graph, bench.config, bench.saver, bench.store)
        assert settled.values == b'{"n":[0]}'
    finally:
        release.set()
