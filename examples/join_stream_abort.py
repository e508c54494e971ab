"""Join the stream of a run, stop reading after a while, and cancel the run."""

from __future__ import annotations

import threading

from address import address

from treadle import AbortSignal, Client, StreamAborted


def main(url: str, seconds: float = 1.0) -> None:
    with Client(url) as client:
        thread = client.threads.create()
        run = client.runs.create(
            thread.thread_id,
            "slow",
            input={"steps": 600, "seconds": 0.1},
            stream_mode=["values", "messages"],
            config={"recursion_limit": 1000},
        )
        signal = AbortSignal()
        timer = threading.Timer(seconds, signal.abort)
        timer.start()
        try:
            for event in client.runs.join_stream(
                thread.thread_id, run.run_id, stream_mode=["values", "messages"], stream_subgraphs=False, signal=signal
            ):
                print(f"{event.timestamp:%H:%M:%S}" if event.timestamp else "", event.event, event.data)
        except StreamAborted:
            print("Stream monitoring stopped; the run is", client.runs.get(thread.thread_id, run.run_id).status)
        finally:
            timer.cancel()

        client.runs.cancel(thread.thread_id, run.run_id, wait=True, action="interrupt")
        print("After cancel it is", client.runs.get(thread.thread_id, run.run_id).status)


if __name__ == "__main__":
    main(address())
