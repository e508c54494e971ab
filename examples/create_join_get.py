"""Start a run in the background, wait for it, and read its final status."""

from __future__ import annotations

from address import address

from treadle import Client


def main(url: str) -> None:
    with Client(url) as client:
        thread = client.threads.create()
        run = client.runs.create(
            thread.thread_id,
            "analyst",
            input={"message": "What is the mean?", "data": [2, 4, 6]},
            config={"tags": ["question"], "recursion_limit": 20},
            metadata={"priority": "high"},
            multitask_strategy="interrupt",
        )
        print("Created run:", run.run_id)
        print("Status:", run.status)

        values = client.runs.join(thread.thread_id, run.run_id)
        print("Mean:", values["mean"])

        run = client.runs.get(thread.thread_id, run.run_id)
        print("Final status:", run.status)
        print(f"It took {(run.updated_at - run.created_at).total_seconds():.3f} s")


if __name__ == "__main__":
    main(address())
