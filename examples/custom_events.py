"""Typed custom events: decode and validate the events that nodes write."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from address import address
from msgspec import Struct

from treadle import Client, CustomEvent, ValuesEvent


class Notice(Struct):
    """A custom event of ``analyst``."""

    type: Literal["progress", "warning", "metric"]
    component: str
    payload: dict[str, Any]


class State(TypedDict, total=False):
    """The part of the state that this program reads."""

    messages: list[dict[str, Any]]
    progress: int


def main(url: str) -> None:
    with Client(url) as client:
        thread = client.threads.create()
        for event in client.runs.stream(
            thread.thread_id,
            "analyst",
            input={"message": "complex_analysis"},
            stream_mode=["values", "custom"],
            stream_subgraphs=True,
            metadata={"enable_custom_events": True},
            state_type=State,
            custom_type=Notice,
        ):
            match event:
                case ValuesEvent(data=state, namespace=()):
                    print("Progress:", state.get("progress", 0), "messages:", len(state.get("messages", [])))
                case CustomEvent(data=Notice(type="warning", component=component, payload=payload)):
                    print(f"Warning from {component}: {payload['reason']}")
                case CustomEvent(data=notice):
                    print(f"Custom {notice.type} from {notice.component}: {notice.payload}")
                case _:
                    pass


if __name__ == "__main__":
    main(address())
