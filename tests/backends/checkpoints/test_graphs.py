"""Real graphs on the checkpointer, as runs: one lease each, in every durability, and compared with InMemorySaver."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Send, interrupt

from backends.leases import begin, tables
from treadle.backends.checkpoints.saver import SqlCheckpointer, delete_runs_checkpoints
from treadle.backends.engine.jobs import Engine

DURABILITIES = ["sync", "async", "exit"]
LARGE = "x" * 1000
CONFIG: Any = {"configurable": {"thread_id": "t"}}


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    answers: Annotated[list[str], operator.add]
    size: int


def asking() -> Any:
    """start, then a subgraph with two interrupts in one node, next to a node without any; then the end."""

    async def ask(state: State) -> State:
        return {"answers": [interrupt("first?"), interrupt("second?")]}

    inner = StateGraph(State)
    inner.add_node("before", lambda _: {"log": ["inner before"]})
    inner.add_node("ask", ask)
    inner.add_edge(START, "before")
    inner.add_edge("before", "ask")
    graph = StateGraph(State)
    graph.add_node("start", lambda _: {"log": ["start", LARGE]})
    graph.add_node("inner", inner.compile())
    graph.add_node("beside", lambda _: {"log": ["beside"]})
    graph.add_node("last", lambda state: {"size": len(state["log"])})
    graph.add_edge(START, "start")
    graph.add_edge("start", "inner")
    graph.add_edge("start", "beside")
    graph.add_edge(["inner", "beside"], "last")
    graph.add_edge("last", END)
    return graph


def take_back(engine: Engine, run_id: str) -> None:
    engine.submit(lambda conn: delete_runs_checkpoints(conn, "t", run_id)).result(10)


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_interrupts_in_a_sub_graph_are_answered_run_by_run_and_each_run_can_be_taken_back(
    engine: Engine, durability: Any
) -> None:
    async def run(run_id: str, given: Any) -> Any:
        saver = SqlCheckpointer(engine, lease=begin(engine, run_id), eager=durability != "sync")
        graph = asking().compile(checkpointer=saver)
        await graph.ainvoke(given, CONFIG, durability=durability)
        await saver.settled()
        reader = asking().compile(checkpointer=SqlCheckpointer(engine))
        state = await reader.aget_state(CONFIG, subgraphs=True)
        return state.values, state.next, [one.value for one in state.interrupts], state

    first = await run("r1", {"log": ["in"]})
    assert first[1:3] == (("inner",), ["first?"]) if durability == "exit" else first[2] == ["first?"]
    after_first = tables(engine)
    second = await run("r2", Command(resume="one"))
    assert second[2] == ["second?"]
    after_second = tables(engine)
    for run_id in ("r3", "r4"):
        values, following, interrupts, _ = await run(run_id, Command(resume="two"))
        assert values["answers"] == ["one", "two"]
        assert (following, interrupts) == ((), [])
        assert set(values["log"]) == {"in", "start", LARGE, "inner before", "beside"}
        take_back(engine, run_id)
        assert tables(engine) == after_second
    take_back(engine, "r2")
    assert tables(engine) == after_first
    again = await run("r5", Command(resume="uno"))
    assert again[2] == ["second?"]


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


async def test_a_conversation_forks_and_both_branches_go_on(engine: Engine) -> None:
    def answer(state: Chat) -> Any:
        return {"messages": [AIMessage(f"{len(state['messages'])}: {state['messages'][-1].content}", id=None)]}

    builder = StateGraph(Chat)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")

    async def say(run_id: str, text: str, config: Any) -> Any:
        saver = SqlCheckpointer(engine, lease=begin(engine, run_id), eager=True)
        graph = builder.compile(checkpointer=saver)
        result = await graph.ainvoke({"messages": [HumanMessage(text)]}, config)
        await saver.settled()
        return [message.content for message in result["messages"]]

    assert await say("r1", "one", CONFIG) == ["one", "1: one"]
    reader = builder.compile(checkpointer=SqlCheckpointer(engine))
    fork = (await reader.aget_state(CONFIG)).config
    assert await say("r2", "two", CONFIG) == ["one", "1: one", "two", "3: two"]
    assert await say("r3", "drei", fork) == ["one", "1: one", "drei", "3: drei"]
    assert await say("r4", "vier", CONFIG) == ["one", "1: one", "drei", "3: drei", "vier", "5: vier"]
    take_back(engine, "r4")
    take_back(engine, "r3")
    latest = await reader.aget_state(CONFIG)
    assert [message.content for message in latest.values["messages"]] == ["one", "1: one", "two", "3: two"]
    updated = await reader.aupdate_state(fork, {"messages": [HumanMessage("by hand")]})
    by_hand = await reader.aget_state(updated)
    assert [message.content for message in by_hand.values["messages"]] == ["one", "1: one", "by hand"]


def extend(state: list[str], writes: list[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


class Deltas(TypedDict):
    items: Annotated[list[str], DeltaChannel(extend, snapshot_frequency=4)]
    never: Annotated[list[str], DeltaChannel(extend, snapshot_frequency=1000)]


def deltas() -> StateGraph[Any]:
    builder = StateGraph(Deltas)
    builder.add_node("spread", lambda _: {"items": ["spread"]})
    builder.add_node("work", lambda given: {"items": [given, LARGE], "never": [given]})
    builder.add_node("end", lambda _: {"items": ["end"]})
    builder.add_edge(START, "spread")
    builder.add_conditional_edges("spread", lambda _: [Send("work", f"w{number}") for number in range(12)], ["work"])
    builder.add_edge("work", "end")
    return builder


@pytest.mark.parametrize("durability", DURABILITIES)
async def test_delta_channels_are_rebuilt_and_survive_pruning_and_copying(engine: Engine, durability: Any) -> None:
    model = deltas().compile(checkpointer=InMemorySaver())
    for number in range(4):
        saver = SqlCheckpointer(engine, lease=begin(engine, f"r{number}"), eager=durability != "sync")
        given: Any = {"items": [f"in{number}"]}
        result = await deltas().compile(checkpointer=saver).ainvoke(given, CONFIG, durability=durability)
        assert result == await model.ainvoke(given, CONFIG, durability=durability)
        await saver.settled()
    reader = SqlCheckpointer(engine)
    graph = deltas().compile(checkpointer=reader)
    expected = (await model.aget_state(CONFIG)).values
    assert (await graph.aget_state(CONFIG)).values == expected
    assert graph.get_state(CONFIG).values == expected
    history = [state.values async for state in graph.aget_state_history(CONFIG)]
    assert history == [state.values async for state in model.aget_state_history(CONFIG)]
    await reader.acopy_thread("t", "u")
    await reader.aprune(["t"])
    left = [one async for one in reader.alist(CONFIG)]
    assert len(left) <= len(history)
    assert (await graph.aget_state(CONFIG)).values == expected
    copied: Any = {"configurable": {"thread_id": "u"}}
    assert [state.values async for state in graph.aget_state_history(copied)] == history
    await reader.adelete_thread("u")
    await graph.ainvoke({"items": ["more"], "never": []}, CONFIG)
    assert (await graph.aget_state(CONFIG)).values["items"][: len(expected["items"])] == expected["items"]


def test_pruning_a_graph_without_delta_channels_leaves_one_checkpoint(engine: Engine) -> None:
    saver = SqlCheckpointer(engine)
    graph = asking().compile(checkpointer=saver)
    asyncio.run(graph.ainvoke({"log": ["in"]}, CONFIG))
    state = asyncio.run(graph.aget_state(CONFIG, subgraphs=True))
    saver.prune(["t"])
    namespaces = [one.config["configurable"]["checkpoint_ns"] for one in saver.list(CONFIG)]
    assert len(namespaces) == len(set(namespaces)) == 2
    pruned = asyncio.run(graph.aget_state(CONFIG, subgraphs=True))
    assert (pruned.values, pruned.interrupts) == (state.values, state.interrupts)
    blobs = [row[3] for row in tables(engine)["checkpoint_blobs"]]
    assert sorted(blobs) == ["log", "log"]


async def test_the_functional_api_resumes_without_doing_finished_tasks_again(engine: Engine) -> None:
    done: list[int] = []

    @task
    async def double(number: int) -> int:
        done.append(number)
        return number * 2

    def flow(saver: SqlCheckpointer) -> Any:
        @entrypoint(checkpointer=saver)
        async def work(numbers: list[int], *, previous: Any = None) -> Any:
            doubled = await asyncio.gather(*(double(number) for number in numbers))
            answer = interrupt(sum(doubled))
            return entrypoint.final(value=[previous, answer, *doubled], save=answer)

        return work

    async def run(run_id: str, given: Any) -> Any:
        saver = SqlCheckpointer(engine, lease=begin(engine, run_id), eager=True)
        result = await flow(saver).ainvoke(given, CONFIG)
        await saver.settled()
        return result

    assert (await run("r1", [1, 2, 3]))["__interrupt__"][0].value == 12
    after_first = tables(engine)
    assert await run("r2", Command(resume="yes")) == [None, "yes", 2, 4, 6]
    take_back(engine, "r2")
    assert tables(engine) == after_first
    assert await run("r3", Command(resume="no")) == [None, "no", 2, 4, 6]
    assert sorted(done) == [1, 2, 3]
    await run("r4", [5])
    assert await run("r5", Command(resume="again")) == ["no", "again", 10]


@pytest.mark.parametrize("eager", [False, True])
async def test_a_sync_graph_runs_in_a_thread_while_a_loop_runs_here(engine: Engine, eager: bool) -> None:
    builder = StateGraph(State)
    for name in ("a", "b", "c"):
        builder.add_node(name, lambda _, name=name: {"log": [name, LARGE]})
    builder.add_edge(START, "a")
    builder.add_edge("a", "b")
    builder.add_edge("b", "c")
    saver = SqlCheckpointer(engine, lease=begin(engine, "r1"), eager=eager)
    graph = builder.compile(checkpointer=saver)

    result = await asyncio.to_thread(graph.invoke, {"log": []}, CONFIG)
    assert result["log"] == ["a", LARGE, "b", LARGE, "c", LARGE]
    # On the loop's own thread, too: the writer is another one.
    assert graph.invoke({"log": ["more"]}, CONFIG)["log"][6:] == ["more", "a", LARGE, "b", LARGE, "c", LARGE]
    assert len(list(graph.get_state_history(CONFIG))) == 10
    await saver.settled()


def test_a_crashed_attempt_goes_on_from_its_last_checkpoint(engine: Engine) -> None:
    ran: list[str] = []

    def crash(_: State) -> State:
        ran.append("b")
        if len(ran) < 3:
            raise KeyboardInterrupt
        return {"log": ["b"]}

    builder = StateGraph(State)
    builder.add_node("a", lambda _: ran.append("a") or {"log": ["a"]})
    builder.add_node("b", crash)
    builder.add_edge(START, "a")
    builder.add_edge("a", "b")
    lease = begin(engine, "r1")
    with pytest.raises(KeyboardInterrupt):
        builder.compile(checkpointer=SqlCheckpointer(engine, lease=lease)).invoke({"log": ["in"]}, CONFIG)
    result = builder.compile(checkpointer=SqlCheckpointer(engine, lease=lease)).invoke(None, CONFIG)
    assert result["log"] == ["in", "a", "b"]
    assert ran == ["a", "b", "b"]
