from __future__ import annotations

import asyncio
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph_sdk.runtime import ServerRuntime


class State(TypedDict, total=False):
    text: str
    who: Any


async def forever(state: State) -> State:
    await asyncio.Event().wait()
    return {}


def tell(state: State, config: RunnableConfig, runtime: Runtime[None]) -> State:
    known = config["configurable"]
    user = known["langgraph_auth_user"]
    info = runtime.server_info
    return {
        "who": {
            "attribute": user.identity,
            "item": user["identity"],
            "token": user.get("token"),
            "permissions": known["langgraph_auth_permissions"],
            "id": known["langgraph_auth_user_id"],
            "user_id": known["user_id"],
            "info": info.user.identity if info and info.user else None,
        }
    }


echo = StateGraph(State).add_node("say", lambda state: {"text": state.get("text", "")}).add_edge(START, "say").compile()
wait = StateGraph(State).add_node("forever", forever).add_edge(START, "forever").compile()
who = StateGraph(State).add_node("tell", tell).add_edge(START, "tell").compile()


def made(config: RunnableConfig, runtime: ServerRuntime) -> Any:
    """Says for whom it was made, in every way that a graph is opened."""
    identity = runtime.ensure_user().identity
    same = config["configurable"]["langgraph_auth_user"]["identity"] == identity
    return (
        StateGraph(State)
        .add_node(f"for_{identity}_{same}", lambda state: {"who": identity})
        .add_edge(START, f"for_{identity}_{same}")
    )
