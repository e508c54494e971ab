"""What only a remote node does: it hands over to a node of the graph that it is part of."""

from __future__ import annotations

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command


async def hand_over(state: MessagesState) -> Command[str]:
    return Command(graph=Command.PARENT, goto="other", update={"messages": [AIMessage("handing over", id="hand")]})


graph = StateGraph(MessagesState)
graph.add_node(hand_over)
graph.add_edge(START, "hand_over")
handing = graph.compile()
