"""Search and count the runs of all threads."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from treadle.errors import UnprocessableError
from treadle.model import RunStatus
from treadle.ports.queries import RunSearchQuery
from treadle.ports.records import Records
from treadle.run_search import FoundRun, Page, RunFilter, RunSearch, RunSort
from treadle.service.assistants import Assistants
from treadle.service.paging import limit_of

_FURTHEST = 2**63 - 1


class RunSearches:
    """Searches over the runs that the request's authorization rules permit."""

    def __init__(self, records: Records, assistants: Assistants) -> None:
        self._records = records
        self._assistants = assistants

    async def search(self, request: RunSearch, *, kwargs: bool) -> Page[FoundRun]:
        """Return a page, newest first by default. ``kwargs`` adds the runs' inputs.

        A page continues after the end of the previous one, even if runs were added or removed since. Raises
        UnprocessableError.
        """
        sort_by, ascending = request.sort_by or "created_at", request.sort_order == "asc"
        query = msgspec.structs.replace(
            self._query(request),
            sort_by=sort_by,
            ascending=ascending,
            limit=limit_of(request.limit, 10),
            after=None if request.after is None else _Cursor.read(request.after).place(sort_by, ascending),
            kwargs=kwargs,
        )
        found = await self._records.read(lambda tx: tx.search_runs(query))
        more = None if found.last is None else _Cursor(sort_by, ascending, *found.last).text()
        return Page(found.runs, more)

    async def count(self, request: RunFilter) -> int:
        query = self._query(request)
        return await self._records.read(lambda tx: tx.count_runs(query))

    def _query(self, request: RunFilter) -> RunSearchQuery:
        status = request.status
        return RunSearchQuery(
            ids=request.ids,
            statuses=() if status is None else [status] if isinstance(status, str) else _some(status),
            assistant_id=None if request.assistant_id is None else self._assistants.identify(request.assistant_id),
            thread_id=request.thread_id,
            metadata=request.metadata,
            thread_metadata=request.thread_metadata,
            tags=request.tags or (),
            created_after=_utc(request.created_after),
            created_before=_utc(request.created_before),
        )


class _Cursor(NamedTuple):
    """The end of a page, as opaque text that a later request sends back."""

    sort_by: RunSort
    ascending: bool
    at: int
    position: int

    def text(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> _Cursor:
        try:
            padded = text.encode() + b"=" * (-len(text) % 4)
            return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=cls)
        except (binascii.Error, UnicodeEncodeError, msgspec.DecodeError):
            raise _refused("must be what x-pagination-next of the page before said") from None

    def place(self, sort_by: RunSort, ascending: bool) -> tuple[int, int]:
        if (self.sort_by, self.ascending) != (sort_by, ascending):
            raise _refused(f"is of a search by {self.sort_by}, {'asc' if self.ascending else 'desc'}")
        if not (0 <= self.at <= _FURTHEST and 0 <= self.position <= _FURTHEST):
            raise _refused("must be what x-pagination-next of the page before said")
        return self.at, self.position


def _refused(what: str) -> UnprocessableError:
    return UnprocessableError(f"after: {what}", field="after")


def _some(statuses: list[RunStatus]) -> list[RunStatus]:
    if not statuses:
        raise UnprocessableError("status: must name at least one status", field="status")
    return statuses


def _utc(given: datetime | None) -> datetime | None:
    if given is None:
        return None
    return given if given.tzinfo else given.replace(tzinfo=UTC)
