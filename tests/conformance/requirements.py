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

EXPLAINED = {
    "LangGraph runs the thread from its start, where that server fails": "runs.command.resume_empty_thread",
    "a list is understood in each of its three spellings": "rules.lists",
    "an item runs on the thread that it names": "runs.batch.thread_id",
    "a malformed id is the same error on every route": "rules.malformed_id",
    "a run starts within milliseconds": "runs.create.starts_at_once",
    "a run shows the session that its tracer names": "runs.langsmith_tracer.session",
    "an explicit null means the default": "rules.null",
    "checkpoint_during says what durability came to": "runs.durability",
    "context is mirrored into configurable as it was given": "runs.context.unknown_keys",
    "joined without an id, a run is read from its start": "joining.without_an_id",
    "joining an unknown run is a 404": "joining.unknown_run",
    "metadata is a mode of its own": "modes.metadata",
    "no call leaves the machine: feedback keys are recorded": "runs.feedback_keys",
    "stateless runs are joined where they say": "joining.stateless",
    "strict_resume is understood": "runs.strict_resume",
    "the error is in the replay too": "joining.error",
    "what means nothing is refused, naming it": "rules.field_named",
    "/info says what this server is": "system.info",
    "a checkpoint id is understood as a string too": "threads.history.before",
    "a checkpoint says its namespace": "threads.state.namespace",
    "a copy has the values that its history ends in": "threads.copy.values",
    "a graph's name stands for its assistant in every path": "assistants.get.by_name",
    "a limit of 0 gives nothing": "store.search.limit_0",
    "a missing version is a bad request": "assistants.latest.no_version",
    "a thread that cannot have its history is not made": "threads.supersteps.no_graph",
    "an unknown thread is not found": "threads.copy.unknown",
    "counts of our own stand beside those of that server": "system.metrics",
    "select is honoured": "threads.history.select",
    "setting the latest version brings its context back too": "assistants.latest",
    "the assistant of a graph cannot be deleted": "assistants.delete.of_a_graph",
    "the bytes are those of our tables": "threads.storage",
    "the input and output of a TypedDict graph have schemas too": "assistants.schemas",
    "values can be searched for": "threads.search.values",
    "who asks for the ttl is told it": "threads.get.ttl",
    "without a prefix everything is searched": "store.search.no_prefix",
    "every event has an id": "streams.ids",
    "an error body has a code and data beside its detail": "rules.error_body",
    "names of that server": "runs.config.persisted_metadata",
    "metadata says when an attempt begins which server it runs on": "runs.config.persisted_metadata",
    "marks of that server's own": "runs.config.persisted_metadata",
    "no call leaves the machine, so there is no tracer to tell": "runs.langsmith_tracer",
    "depends on what is installed": "runs.config.persisted_metadata",
}
"""Prefixes of the reasons for differences in the replays of tests/wire and tests/http, and the rows they belong to."""
