"""Retry a failed run and tag each attempt. (The client resumes lost connections by itself, without a loop.)"""

from __future__ import annotations

import time

from address import address

from treadle import Client, DebugEvent, EndEvent, ErrorEvent, ValuesEvent

MAX_RETRIES = 3


def main(url: str, first_pause: float = 0.1) -> None:
    with Client(url) as client:
        thread = client.threads.create()
        for attempt in range(1, MAX_RETRIES + 1):
            status = try_once(client, thread.thread_id, attempt)
            if status == "success":
                print("Stream completed successfully")
                return
            print(f"Attempt {attempt} ended as {status}")
            if attempt < MAX_RETRIES:
                pause = first_pause * 2**attempt
                print(f"Retrying in {pause} s...")
                time.sleep(pause)
        raise SystemExit("All retry attempts exhausted")


def try_once(client: Client, thread_id: str, attempt: int) -> str:
    status = "unknown"
    for event in client.runs.stream(
        thread_id,
        "flaky",
        input={"message": "Process this carefully", "succeeds_at": 3},
        stream_mode=["values", "debug"],
        config={"tags": [f"attempt_{attempt}"]},
    ):
        match event:
            case ValuesEvent(data=state):
                print("Processing:", state)
            case DebugEvent(data=debug):
                print("Debug:", event.tags, debug["type"])
            case ErrorEvent(message=message):
                print("Error:", message)
            case EndEvent():
                status = event.status
            case _:
                pass
    return status


if __name__ == "__main__":
    main(address())
