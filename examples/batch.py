"""Start three runs of two assistants in one call, then wait for all of them."""

from __future__ import annotations

import asyncio

from address import address

from treadle import AsyncClient, BatchItem

PAYLOADS: list[BatchItem] = [
    {"assistant_id": "analyst", "input": {"data": [1, 2, 3]}, "config": {"tags": ["batch", "data_analysis"]}},
    {"assistant_id": "reporter", "input": {"task": "sales"}, "config": {"tags": ["batch", "reporting"]}},
    {"assistant_id": "analyst", "input": {"data": [4, 5, 6]}, "config": {"tags": ["batch", "data_analysis"]}},
]


async def run_batch(url: str) -> None:
    async with AsyncClient(url) as client:
        runs = await client.runs.create_batch(PAYLOADS)
        print(f"Created {len(runs)} runs in one call")
        results = await asyncio.gather(*(client.runs.join(run.thread_id, run.run_id) for run in runs))
        for run, values in zip(runs, results, strict=True):
            print(f"{run.config['tags'][-1]}: {values.get('report') or values.get('mean')}")
        print("All batch runs completed")


def main(url: str) -> None:
    asyncio.run(run_batch(url))


if __name__ == "__main__":
    main(address())
