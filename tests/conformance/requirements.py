"""The manifest: every behaviour of the API that clients may rely on, and the tests for it.

``test_manifest`` checks that it is complete; ``docs/compatibility.md`` is generated from it.
"""

from __future__ import annotations

from conformance.row import NotYet, Row
from conformance.rows import around, records, rules, runs, streams

ROWS: tuple[Row, ...] = tuple(
    sorted((*rules.ROWS, *runs.ROWS, *streams.ROWS, *records.ROWS, *around.ROWS), key=lambda row: row.id)
)

AREAS = {
    "rules": "Rules for every endpoint",
    "runs": "Runs",
    "streams": "Streams",
    "modes": "Stream modes",
    "joining": "Joining and resuming",
    "cancelling": "Cancelling and rolling back",
    "threads": "Threads",
    "thread_stream": "The stream of a thread",
    "assistants": "Assistants",
    "store": "Store",
    "crons": "Crons",
    "webhooks": "Webhooks",
    "system": "System",
    "own_code": "Users' own code",
    "clients": "Official clients",
    "client": "The treadle client",
}
"""The areas, in the order of the page."""

DEFECTS = 26
"""The number of observed defects of the official server, each of which has a row."""

NOT_YET = (
    NotYet(
        "thread_protocol",
        "`threads.stream` and version 3 of RemoteGraph: commands and events of a thread, over SSE or WebSocket.",
        "The log already stores the data; the encoders are missing.",
    ),
)
