"""The tables of assistants and their versions."""

from __future__ import annotations

from treadle.backends.tables import rows
from treadle.backends.tables.conditions import assistant_filter
from treadle.backends.tables.tx import Tx
from treadle.model import Assistant
from treadle.ports.queries import AssistantQuery
from treadle.times import to_microseconds


class AssistantVerbs(Tx):
    def assistant(self, assistant_id: str) -> Assistant | None:
        row = self.one(f"SELECT {rows.ASSISTANT} FROM assistants WHERE assistant_id = ?", assistant_id)
        return rows.assistant(row) if row else None

    def lock_assistant(self, assistant_id: str) -> None:
        self.conn.lock_assistant(assistant_id)

    def put_assistant(self, assistant: Assistant) -> None:
        a = assistant
        bodies = (rows.dump(a.config), rows.dump(a.context), rows.dump(a.metadata))
        created_at, updated_at = to_microseconds(a.created_at), to_microseconds(a.updated_at)
        self.execute(
            "INSERT INTO assistants (assistant_id, graph_id, config, context, metadata, name, created_at, updated_at,"
            " version, description) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (assistant_id) DO UPDATE SET"
            " graph_id = excluded.graph_id, config = excluded.config, context = excluded.context,"
            " metadata = excluded.metadata, name = excluded.name, updated_at = excluded.updated_at,"
            " version = excluded.version, description = excluded.description",
            (a.assistant_id, a.graph_id, *bodies, a.name, created_at, updated_at, a.version, a.description),
        )
        self.execute(
            "INSERT INTO assistant_versions (assistant_id, version, graph_id, config, context, metadata,"
            " name, created_at, description) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (a.assistant_id, a.version, a.graph_id, *bodies, a.name, updated_at, a.description),
        )

    def assistant_versions(self, assistant_id: str) -> list[Assistant]:
        versions = self.all(
            "SELECT assistant_id, graph_id, config, context, metadata, name, created_at, created_at, version,"
            " description FROM assistant_versions WHERE assistant_id = ? ORDER BY version DESC",
            assistant_id,
        )
        return [rows.assistant(row) for row in versions]

    def delete_assistant(self, assistant_id: str) -> bool:
        return self.execute("DELETE FROM assistants WHERE assistant_id = ?", (assistant_id,)).rowcount > 0

    def search_assistants(self, query: AssistantQuery) -> list[Assistant]:
        where, parameters = assistant_filter(query)
        column = "lower(name)" if query.sort_by == "name" else query.sort_by
        order = f"{column} {'ASC' if query.ascending else 'DESC'}, assistant_id"
        sql = f"SELECT {rows.ASSISTANT} FROM assistants{where} ORDER BY {order} LIMIT ? OFFSET ?"
        return [rows.assistant(row) for row in self.all(sql, *parameters, query.limit, query.offset)]

    def count_assistants(self, query: AssistantQuery) -> int:
        where, parameters = assistant_filter(query)
        return self.value(f"SELECT count(*) FROM assistants{where}", parameters)
