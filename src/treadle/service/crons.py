"""The rules of crons: requests that create runs on a schedule. Each call is one transaction."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from msgspec import UNSET, to_builtins

from treadle.auth.scope import Requester, requester
from treadle.errors import APIError, BadRequestError, NotFoundError, UnprocessableError
from treadle.ids import uuid7
from treadle.model import JSON, Cron, CronCreate, CronPatch, CronSearch, RunCreate
from treadle.ports.clock import Clock
from treadle.ports.queries import CronQuery
from treadle.ports.records import Records, Transaction
from treadle.service.assistants import Assistants
from treadle.service.cron_times import next_run
from treadle.service.paging import limit_of, offset_of
from treadle.service.request import Submission
from treadle.service.runs import Runs
from treadle.times import from_microseconds

logger = structlog.get_logger("treadle.crons")

_AT_ONCE = 100
"""Crons fired per transaction, so that other writes do not wait long."""
_THREAD_GONE = (
    "Thread with ID '{}' not found. Please verify the ID is correct and the thread hasn't been deleted or expired."
)
_THREADLESS = "on_run_completed: only a cron without a thread has it; the thread of this one stays"
_NOT_PAYLOAD = ("timezone", "end_time", "enabled", "schedule", "on_run_completed")


class Crons:
    """Crons stored in ``records``; their runs follow the rules of ``runs``."""

    def __init__(self, records: Records, runs: Runs, assistants: Assistants, clock: Clock) -> None:
        self._records = records
        self._runs = runs
        self._assistants = assistants
        self._clock = clock

    # creating and changing

    async def create(self, thread_id: str | None, request: CronCreate) -> Cron:
        """Create a cron on a thread, or one that creates a new thread for each run.

        Raises NotFoundError for an unknown assistant or thread, UnprocessableError, BadRequestError.
        """
        if thread_id is not None and request.on_run_completed is not None:
            raise UnprocessableError(_THREADLESS, field="on_run_completed")
        self._runs.check(request)
        self._identify(request.assistant_id)
        by = requester()

        def work(tx: Transaction) -> Cron:
            cron_id = uuid7(tx.now)
            if thread_id is not None and tx.thread(thread_id, values=False) is None:
                raise NotFoundError(_THREAD_GONE.format(thread_id), thread_id=thread_id)
            created = from_microseconds(tx.now)
            cron = Cron(
                cron_id=cron_id,
                assistant_id=self._assistants.resolve(tx, request.assistant_id).assistant_id,
                thread_id=thread_id,
                end_time=_utc(request.end_time),
                schedule=request.schedule,
                timezone=request.timezone,
                payload=_payload(request, cron_id),
                next_run_date=None,
                metadata=request.metadata or {},
                on_run_completed=None
                if thread_id is not None
                else request.on_run_completed or request.on_completion or "delete",
                enabled=request.enabled is not False,
                created_at=created,
                updated_at=created,
            )
            tx.put_cron(_scheduled(_unended(cron, created), created))
            if by is not None:
                tx.set_cron_requester(cron_id, to_builtins(by))
            return _existing(tx, cron_id)

        return await self._records.transact(work)

    def _identify(self, reference: str) -> str:
        """Unlike for a run, an unknown name is a 404 (docs/http.md)."""
        try:
            return self._assistants.identify(reference)
        except UnprocessableError as error:
            raise NotFoundError(f"Assistant {reference[:80]!r} not found", **error.data) from None

    async def patch(self, cron_id: str, request: CronPatch) -> Cron:
        """Replace the given fields and merge metadata; the next run date follows the schedule.

        Raises NotFoundError, UnprocessableError, BadRequestError for an empty request.
        """
        given = _given(request)
        if not given:
            raise BadRequestError("Request body cannot be empty")

        def work(tx: Transaction) -> Cron:
            old = tx.cron(cron_id)
            if old is None:
                raise NotFoundError(f"Cron '{cron_id}' not found", cron_id=cron_id)
            now = from_microseconds(tx.now)
            new = _patched(old, request, given, now)
            self._runs.check(_request(new))
            # A change unrelated to the schedule must not skip a run that is due right now.
            if given.keys() & {"schedule", "timezone", "end_time", "enabled"}:
                new = _scheduled(_unended(new, now) if "end_time" in given else new, now)
            tx.put_cron(new)
            return _existing(tx, cron_id)

        return await self._records.transact(work)

    async def delete(self, cron_id: str) -> None:
        """Delete a cron. Its runs are kept. Raises NotFoundError."""
        if not await self._records.transact(lambda tx: tx.delete_cron(cron_id)):
            raise NotFoundError("Not Found")

    # finding

    async def get(self, cron_id: str) -> Cron:
        return await self._records.read(lambda tx: _existing(tx, cron_id))

    async def search(self, request: CronSearch) -> tuple[list[Cron], int]:
        """The requested page, and the total number of matches."""
        query = self._query(request)
        return await self._records.read(lambda tx: (tx.search_crons(query), tx.count_crons(query)))

    async def count(self, request: CronSearch) -> int:
        query = self._query(request)
        return await self._records.read(lambda tx: tx.count_crons(query))

    def _query(self, request: CronSearch) -> CronQuery:
        return CronQuery(
            assistant_id=None if request.assistant_id is None else self._identify(request.assistant_id),
            thread_id=request.thread_id,
            enabled=request.enabled,
            metadata=request.metadata,
            sort_by=request.sort_by or "created_at",
            ascending=request.sort_order == "asc",
            limit=limit_of(request.limit, 10),
            offset=offset_of(request.offset),
        )

    # firing

    async def fire(self) -> int | None:
        """Create the runs of all due crons, one per cron even if several dates were missed.

        Returns the next due time in unix microseconds. A run and the cron's next date are written in one transaction,
        so each date creates exactly one run, regardless of the number of processes and of crashes.
        """
        now, next_at = await self._records.read(lambda tx: (tx.now, tx.next_cron_at()))
        if next_at is None or next_at > now:
            return next_at

        def work(tx: Transaction) -> int | None:
            for cron in tx.due_crons(_AT_ONCE):
                self._fire(tx, cron)
            return tx.next_cron_at()

        return await self._records.transact(work)

    def _fire(self, tx: Transaction, cron: Cron) -> None:
        now = from_microseconds(tx.now)
        if cron.end_time is None or now <= cron.end_time:
            try:
                run = self._runs.insert(tx, cron.thread_id, _request(cron), _by(cron, tx.cron_requester(cron.cron_id)))
                logger.info("a cron made a run", cron_id=cron.cron_id, run_id=run.run_id)
            except (APIError, msgspec.ValidationError) as error:
                # The error was raised before anything was written. Skip this date and continue with other crons.
                logger.warning("a cron could not make its run", cron_id=cron.cron_id, error=str(error))
        tx.put_cron(_next(cron, now))


def _utc(given: datetime | None) -> datetime | None:
    if given is None:
        return None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)


def _unended(cron: Cron, now: datetime) -> Cron:
    if cron.end_time is not None and cron.end_time <= now:
        raise UnprocessableError(f"end_time: must be in the future, is {cron.end_time.isoformat()}", field="end_time")
    return cron


def _scheduled(cron: Cron, now: datetime) -> Cron:
    """The cron with the next date after ``now``. Raises UnprocessableError for a schedule that is never due."""
    due = next_run(cron.schedule, cron.timezone, now)
    if due is None:
        raise UnprocessableError(f"Invalid cron schedule: {cron.schedule!r} never comes due", field="schedule")
    ended = cron.end_time is not None and due > cron.end_time
    return msgspec.structs.replace(cron, next_run_date=None if ended else due)


def _next(cron: Cron, now: datetime) -> Cron:
    """Like ``_scheduled``, for a cron that has fired before: if its time zone no longer exists, the cron ends."""
    try:
        return _scheduled(cron, now)
    except UnprocessableError as error:
        logger.warning("a cron has no next date", cron_id=cron.cron_id, error=error.detail)
        return msgspec.structs.replace(cron, next_run_date=None)


def _payload(request: CronCreate, cron_id: str) -> JSON:
    """The request as given, with its user (docs/http.md)."""
    fields = {name: getattr(request, name) for name in request.__struct_fields__}
    return _marked({name: to_builtins(value) for name, value in fields.items() if value is not None}, cron_id)


def _marked(payload: JSON, cron_id: str) -> JSON:
    config: JSON = payload.get("config") or {}
    configurable = (config.get("configurable") or {}) | {"cron_id": cron_id}
    return payload | {"config": config | {"configurable": configurable}}


def _given(request: CronPatch) -> JSON:
    """The fields that the request sets; null is a value only for the fields that can be cleared."""
    fields = {name: getattr(request, name) for name in request.__struct_fields__}
    clearable = ("timezone", "end_time", "input")
    return {n: v for n, v in fields.items() if v is not UNSET and (v is not None or n in clearable)}


def _patched(old: Cron, request: CronPatch, given: JSON, now: datetime) -> Cron:
    if old.thread_id is not None and request.on_run_completed is not None:
        raise UnprocessableError(_THREADLESS, field="on_run_completed")
    changes: JSON = {name: given[name] for name in _NOT_PAYLOAD if name in given}
    if "end_time" in changes:
        changes["end_time"] = _utc(changes["end_time"])
    payload = {**old.payload, **{name: to_builtins(value) for name, value in given.items()}}
    return msgspec.structs.replace(
        old,
        **changes,
        metadata=old.metadata | (request.metadata or {}),
        payload=_marked({name: value for name, value in payload.items() if value is not None}, old.cron_id),
        updated_at=now,
    )


def _request(cron: Cron) -> RunCreate:
    """The request for one run."""
    payload: dict[str, Any] = dict(cron.payload)
    config: JSON = payload.pop("config")
    configurable = {key: value for key, value in config["configurable"].items() if key != "cron_id"}
    if configurable or len(config) > 1:
        payload["config"] = config | {"configurable": configurable or None}
    request = msgspec.convert(payload, RunCreate)
    request.assistant_id = cron.assistant_id
    request.metadata = cron.metadata
    if cron.thread_id is None:
        request.on_completion = cron.on_run_completed
    return request


def _by(cron: Cron, requester: JSON | None) -> Submission:
    made_by = None if requester is None else msgspec.convert(requester, Requester)
    return Submission(request_id=str(uuid.uuid4()), cron_id=cron.cron_id, requester=made_by)


def _existing(tx: Transaction, cron_id: str) -> Cron:
    cron = tx.cron(cron_id)
    if cron is None:
        raise NotFoundError("Not Found")
    return cron
