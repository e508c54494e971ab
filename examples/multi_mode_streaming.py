"""Stream several modes at once, with the events of subgraphs."""

from __future__ import annotations

from address import address

from treadle import Client, DebugEvent, MessagesEvent, MetadataEvent, StreamEvent, UpdatesEvent, ValuesEvent


def main(url: str) -> None:
    with Client(url) as client:
        thread = client.threads.create()
        for event in client.runs.stream(
            thread.thread_id,
            "analyst",
            input={"message": "Analyze this data", "data": [1, 2, 3, 4, 5]},
            stream_mode=["values", "updates", "messages", "debug"],
            stream_subgraphs=True,
            config={"tags": ["analysis"]},
        ):
            show(event)


def show(event: StreamEvent) -> None:
    # Events of a subgraph carry its path; events of the graph itself have an empty one.
    where = "/".join(step.split(":")[0] for step in event.namespace) or "graph"
    match event:
        case MetadataEvent(data=info, tags=tags):
            print(f"Run {info['run_id']} started, attempt {info['attempt']}, tags {list(tags)}")
        case ValuesEvent(data=state):
            print(f"[{where}] state has {sorted(state)}")
        case UpdatesEvent(data=updates):
            for node, update in updates.items():
                print(f"[{where}] {node} wrote {sorted(update or {})}")
        case MessagesEvent(data=[message, *_]):
            print(f"[{where}] message so far: {message['content']}")
        case DebugEvent(data=debug):
            print(f"[{where}] debug: step {debug['step']}: {debug['type']}")
        case _:
            print(f"[{where}] {event.event}")


if __name__ == "__main__":
    main(address())
