"""The hot path's transactions as PostgreSQL gets them, on the tables of costs.sql."""

from __future__ import annotations

import os
import uuid
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

NOW = 1_700_000_000_000_000


def empty(conn: Connection, _: int) -> None:
    """What begin and commit cost by themselves, with something to flush."""
    with conn.transaction():
        conn.execute("SELECT pg_logical_emit_message(true, 'treadle', '')")


def insert_run(conn: Connection, _: int) -> None:
    run_id, thread_id = str(uuid.uuid4()), str(uuid.uuid4())
    with conn.transaction():
        conn.execute("SELECT 1 FROM threads WHERE thread_id = %s", (thread_id,))
        conn.execute(
            "INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, metadata) VALUES"
            " (%s, %s, %s, %s, '{}')",
            (thread_id, NOW, NOW, NOW),
        )
        conn.execute(
            "INSERT INTO runs (run_id, thread_id, assistant_id, graph_id, multitask_strategy, created_at, updated_at,"
            " available_at, metadata) VALUES (%s, %s, 'a', 'g', 'reject', %s, %s, %s, %s)",
            (run_id, thread_id, NOW, NOW, NOW, "m" * 200),
        )
        conn.execute("INSERT INTO run_requests (run_id, kwargs) VALUES (%s, %s)", (run_id, b"k" * 600))
        conn.execute("UPDATE threads SET status = 'busy', updated_at = %s WHERE thread_id = %s", (NOW, thread_id))


def append(conn: Connection, run: tuple[str, str], number: int, events: int, size: int) -> None:
    run_id, thread_id = run
    with conn.transaction():
        conn.execute(
            "UPDATE runs SET event_seq = event_seq + %s WHERE run_id = %s AND attempt = 1 AND status = 'running'"
            " RETURNING event_seq",
            (events, run_id),
        )
        chunk(conn, run_id, thread_id, number * 64, events, size)


def chunk(conn: Connection, run_id: str, thread_id: str, first: int, events: int, size: int) -> None:
    row = conn.execute(
        "UPDATE threads SET event_seq = event_seq + %s WHERE thread_id = %s RETURNING event_seq", (events, thread_id)
    ).fetchone()
    conn.execute(
        "INSERT INTO event_chunks (run_id, first_seq, last_seq, thread_id, thread_seq, attempt, events)"
        " VALUES (%s, %s, %s, %s, %s, 1, %s)",
        (run_id, first, first + events - 1, thread_id, row[0] if row else 0, os.urandom(size)),
    )


def read(conn: Connection, run: tuple[str, str], number: int) -> None:
    """What a reader asks for when it was told of a new chunk but not given it."""
    conn.execute(
        "SELECT first_seq, events FROM event_chunks WHERE run_id = %s AND first_seq >= %s ORDER BY first_seq LIMIT 64",
        (run[0], number * 64),
    ).fetchall()


def checkpoint(conn: Connection, run: tuple[str, str]) -> None:
    """A step's checkpoint and what its task wrote, 2 KiB and 0.5 KiB."""
    run_id, thread_id = run
    checkpoint_id = str(uuid.uuid1())
    with conn.transaction():
        conn.execute("SELECT 1 FROM runs WHERE run_id = %s AND attempt = 1 AND status = 'running'", (run_id,))
        conn.execute(
            "INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, run_id, metadata, type, checkpoint,"
            " small) VALUES (%s, '', %s, %s, %s, 'msgpack', %s, %s)",
            (thread_id, checkpoint_id, run_id, "m" * 300, os.urandom(700), os.urandom(1000)),
        )
        conn.execute(
            "INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, run_id, task_id, task_path,"
            " writes) VALUES (%s, '', %s, %s, 't', '', %s)",
            (thread_id, checkpoint_id, run_id, os.urandom(500)),
        )


def finish(conn: Connection, run: tuple[str, str]) -> None:
    run_id, thread_id = run
    with conn.transaction():
        conn.execute("SELECT 1 FROM runs WHERE run_id = %s AND attempt = 1 AND status = 'running'", (run_id,))
        row = conn.execute("INSERT INTO outputs (body) VALUES (%s) RETURNING output_id", (os.urandom(1000),)).fetchone()
        output_id = row[0] if row else None
        conn.execute(
            "UPDATE runs SET status = 'success', finished_at = %s, updated_at = %s, worker_id = NULL, output_id = %s,"
            " event_seq = event_seq + 1 WHERE run_id = %s",
            (NOW, NOW, output_id, run_id),
        )
        chunk(conn, run_id, thread_id, 2, 1, 120)
        conn.execute(
            "UPDATE threads SET resting = 'idle', output_id = %s, settled = 1, state_updated_at = %s, updated_at = %s,"
            " status = CASE WHEN EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id"
            " AND runs.status IN ('pending', 'running')) THEN 'busy' ELSE resting END WHERE thread_id = %s",
            (output_id, NOW, NOW, thread_id),
        )


def renew(conn: Connection, number: int) -> None:
    with conn.transaction():
        conn.execute(
            "INSERT INTO workers (worker_id, expires_at) VALUES (%s, %s)"
            " ON CONFLICT (worker_id) DO UPDATE SET expires_at = excluded.expires_at",
            (f"w{number % 100}", NOW),
        )
        conn.execute(
            "SELECT run_id, cancel_action FROM runs WHERE worker_id = %s AND status = 'running'"
            " AND cancel_action IS NOT NULL",
            (f"w{number % 100}",),
        )
