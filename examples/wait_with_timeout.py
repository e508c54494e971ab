"""Wait for a run's final state with a time limit: after the TimeoutError, the run still executes."""

from __future__ import annotations

from address import address

from treadle import Client, RunFailed, RunTimeoutError


def main(url: str) -> None:
    with Client(url) as client:
        thread = client.threads.create()
        wait(client, thread.thread_id, {"steps": 2, "seconds": 0.05}, timeout=30)
        wait(client, thread.thread_id, {"steps": 600, "seconds": 0.1}, timeout=0.5)


def wait(client: Client, thread_id: str, input: dict[str, float], timeout: float) -> None:
    try:
        values = client.runs.wait(thread_id, "slow", input=input, timeout=timeout, config={"recursion_limit": 1000})
    except RunTimeoutError as error:
        print("Run timed out:", error)
        if error.run_id is not None:
            client.runs.cancel(thread_id, error.run_id, wait=True)
            print("and was cancelled:", client.runs.get(thread_id, error.run_id).status)
    except RunFailed as error:
        print("Run failed:", error)
    else:
        print("Final result:", values)


if __name__ == "__main__":
    main(address())
