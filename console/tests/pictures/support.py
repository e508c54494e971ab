"""A support agent with tools, a subagent, and a person who approves what costs money."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool
from talking import Speaker


@tool
async def find_order(order: str) -> str:
    """An order by its number."""
    await asyncio.sleep(0.4)
    return f'{{"order": "{order}", "item": "Countermarch loom, 120 cm", "paid": 1840.0, "delivered": "2026-11-12"}}'


@tool
async def refund(order: str, amount: float, reason: str) -> str:
    """Pays money back."""
    await asyncio.sleep(0.3)
    return f"refunded {amount:.2f} for {order}"


def expert_turn(messages: Sequence[BaseMessage]) -> AIMessage:
    if any(message.type == "tool" for message in messages):
        return AIMessage("A warped breast beam is covered: the beam is replaced, or half of the price is paid back.")
    return AIMessage("", tool_calls=[{"name": "read_terms", "args": {"part": "breast beam"}, "id": "terms_1"}])


@tool
async def read_terms(part: str) -> str:
    """What the warranty says of a part."""
    await asyncio.sleep(0.5)
    return f"{part}: two years, warping included"


expert = create_agent(Speaker(turn=expert_turn), [read_terms], name="warranty_expert")


@tool
async def ask_warranty_expert(question: str) -> str:
    """Asks the expert for warranties, an agent of its own."""
    answer = await expert.ainvoke({"messages": [("user", question)]})
    return str(answer["messages"][-1].text)


CALLS = (
    ("Let me look at the order. ", "find_order", {"order": "LM-2041"}),
    ("And at what the warranty says. ", "ask_warranty_expert", {"question": "Is a warped breast beam covered?"}),
    (
        "It is covered. I propose to pay half of it back.",
        "refund",
        {"order": "LM-2041", "amount": 920.0, "reason": "warped breast beam, under warranty"},
    ),
)


def turn(messages: Sequence[BaseMessage]) -> AIMessage:
    asked = max((at for at, message in enumerate(messages) if message.type == "human"), default=0)
    done = sum(message.type == "tool" for message in messages[asked:])
    if sum(message.type == "human" for message in messages) > 1:
        return AIMessage("You are welcome. The beam of a loom likes 50 % humidity, by the way.")
    if done >= len(CALLS):
        return AIMessage("Done: **920.00** are on their way back to you, and you keep the loom. Anything else?")
    text, name, arguments = CALLS[done]
    return AIMessage(text, tool_calls=[{"name": name, "args": arguments, "id": f"{name}_{len(messages)}"}])


support = create_agent(
    Speaker(turn=turn),
    [find_order, ask_warranty_expert, refund],
    system_prompt="You help weavers with what they bought.",
    middleware=[
        HumanInTheLoopMiddleware(
            interrupt_on={"refund": {"allowed_decisions": ["approve", "edit", "reject"]}},
            description_prefix="This pays money back",
        )
    ],
    name="support",
)
