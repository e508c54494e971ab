"""Stream a run: the state after every step."""

from __future__ import annotations

from address import address

from treadle import Client, EndEvent, ErrorEvent, ValuesEvent


def main(url: str) -> None:
    with Client(url) as client:
        thread = client.threads.create()
        for event in client.runs.stream(
            thread.thread_id,
            "analyst",
            input={"message": "Hello, how can you help me?"},
            stream_mode="values",
        ):
            match event:
                case ValuesEvent(data=state):
                    print("Current state:", state)
                case ErrorEvent(error=error, message=message):
                    print(f"The run failed: {error}: {message}")
                case EndEvent(status=status):
                    print("The run ended:", status)
                case _:
                    pass


if __name__ == "__main__":
    main(address())
