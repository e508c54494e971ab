"""List the successful runs of the last day, and delete failed runs older than a week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from address import address

from treadle import Client, TreadleError


def main(url: str) -> None:
    with Client(url) as client:
        thread_id = client.threads.create().thread_id
        for succeeds_at in (1, 2, 1):
            client.runs.wait(thread_id, "flaky", input={"succeeds_at": succeeds_at}, raise_error=False)
        list_successful(client, thread_id, within=timedelta(hours=24))
        delete_failed(client, thread_id, older_than=timedelta(days=7))


def list_successful(client: Client, thread_id: str, within: timedelta) -> None:
    since = datetime.now(UTC) - within
    runs = client.runs.list(thread_id, limit=50, status="success", created_after=since)
    print(f"Found {len(runs)} successful runs since {since:%Y-%m-%d %H:%M}")


def delete_failed(client: Client, thread_id: str, older_than: timedelta) -> None:
    runs = client.runs.list(thread_id, status="error", created_before=datetime.now(UTC) - older_than)
    print(f"Found {len(runs)} failed runs to delete")
    for run in runs:
        try:
            client.runs.delete(thread_id, run.run_id)
            print("Deleted failed run:", run.run_id)
        except TreadleError as error:
            print(f"Failed to delete run {run.run_id}: {error}")


if __name__ == "__main__":
    main(address())
