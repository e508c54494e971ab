"""Agents made by others' libraries, as their users write them; only the models are scripted."""

from __future__ import annotations

from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool
from langgraph_supervisor import create_supervisor
from langgraph_swarm import create_handoff_tool, create_swarm
from scripted import Scripted


@tool
def look(place: str) -> str:
    """Looks at a place."""
    return f"{place} is fine"


@tool
def send(to: str, text: str) -> str:
    """Sends a message that cannot be taken back."""
    return f"sent {text!r} to {to}"


LOOK = ("look", {"place": "the harbour"})
SEND = ("send", {"to": "ada", "text": "all is well"})

agent = create_agent(
    Scripted(who="agent", lines=[LOOK, SEND, "I have told her."]),
    [look, send],
    middleware=[HumanInTheLoopMiddleware(interrupt_on={"send": True})],
    name="agent",
)

TASK = ("task", {"description": "look at the harbour", "subagent_type": "scout"})
FILE = ("write_file", {"file_path": "/notes.txt", "content": "the harbour is fine"})
deep = create_deep_agent(
    model=Scripted(who="deep", lines=[TASK, FILE, SEND, "All of it is done."]),
    tools=[send],
    subagents=[
        {
            "name": "scout",
            "description": "looks at places",
            "system_prompt": "You look at places.",
            "tools": [look],
            "model": Scripted(who="scout", lines=[LOOK, "The harbour is fine."]),
        }
    ],
    interrupt_on={"send": True},
)

careful = HumanInTheLoopMiddleware(interrupt_on={"send": True})
supervisor = create_supervisor(
    [
        create_agent(Scripted(who="scout", lines=[LOOK, "It is fine there."]), [look], name="scout"),
        create_agent(Scripted(who="clerk", lines=[SEND, "It is sent."]), [send], name="clerk", middleware=[careful]),
    ],
    model=Scripted(
        who="boss", lines=[("transfer_to_scout", {}), ("transfer_to_clerk", {}), "Both have done their part."]
    ),
)

to_bob = create_handoff_tool(agent_name="bob", description="Bob sends messages")
swarm = create_swarm(
    [
        create_agent(Scripted(who="alice", lines=[LOOK, ("transfer_to_bob", {})]), [look, to_bob], name="alice"),
        create_agent(Scripted(who="bob", lines=[SEND, "Bob has sent it."]), [send], name="bob", middleware=[careful]),
    ],
    default_active_agent="alice",
)
