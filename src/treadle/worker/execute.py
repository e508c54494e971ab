"""Execute one attempt, from claim to record: load -> prepare -> perform -> settle -> record."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal, cast

import msgspec
import orjson
import structlog
from langchain_core.runnables import RunnableConfig
from msgspec import Struct

from treadle.errors import DatabaseUnavailable, LeaseLost, TreadleError
from treadle.graph.encode import describe_error
from treadle.graph.graphs import Graphs
from treadle.graph.internals import AnyGraph
from treadle.graph.repair import answer_cut_calls
from treadle.graph.stream import GraphResult, Invocation, settle_state, stream
from treadle.graph.user import USER, with_user
from treadle.model import JSON, Command
from treadle.ports.backend import Checkpoints, RunSaver
from treadle.ports.clock import Clock
from treadle.ports.log import EventLog
from treadle.ports.queue import Limits, Outcome, Queue
from treadle.settings import Settings
from treadle.worker.attempt import Appender, Attempt

logger = structlog.get_logger("treadle.worker")

_VERSIONS = {"langgraph_version": version("langgraph"), "treadle_version": version("treadle")}
_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class Resources(Struct, frozen=True):
    """The dependencies of an execution."""

    queue: Queue
    log: EventLog
    checkpoints: Checkpoints
    graphs: Graphs
    limits: Limits
    clock: Clock
    settings: Settings


@dataclass(frozen=True)
class Execution:
    """The state of one execution, passed through the pipeline."""

    attempt: Attempt
    resources: Resources
    config: RunnableConfig
    saver: RunSaver
    appender: Appender


class Stopped(Exception):
    """The attempt was stopped, to be cancelled or handed back."""


class TimedOut(TreadleError):
    """The attempt took longer than the server allows."""


class GraphMissing(TreadleError):
    """The run's graph is no longer in this server's configuration."""


async def execute(attempt: Attempt, resources: Resources) -> None:
    """Execute a claimed run to its end, or hand it back. An attempt that lost its run writes nothing more."""
    attempt.started = True
    claim, started_at = attempt.claim, resources.clock.monotonic()
    log = logger.bind(run_id=attempt.lease.run_id, thread_id=attempt.lease.thread_id, graph_id=claim.graph_id)
    log.info("a run starts", attempt=attempt.lease.attempt, queued_seconds=round(claim.queued_seconds, 3))
    run = Execution(
        attempt,
        resources,
        configure(attempt),
        resources.checkpoints.for_run(attempt.lease, eager=attempt.claim.kwargs["durability"] != "sync"),
        Appender(resources.log, attempt.lease, resources.clock),
    )
    try:
        outcome = await _outcome(run)
        attempt.settling = True
        events = await record(run, outcome)
    except LeaseLost as lost:
        log.info("an attempt lost its run", reason=str(lost))
    else:
        status = (
            "handed back" if outcome is None else "rolled_back" if attempt.cancelled == "rollback" else outcome.status
        )
        seconds = round(resources.clock.monotonic() - started_at, 3)
        log.info("a run ends", status=status, duration_seconds=seconds, events=events)


async def _outcome(run: Execution) -> Outcome | None:
    """Run all user code and return the outcome, or None to hand the run back."""
    graph: AnyGraph | None = None
    try:
        async with AsyncExitStack() as opened:
            try:
                if run.attempt.stopping:
                    raise Stopped
                graph = await load(run, opened)
                result = await perform(run, graph, await prepare(run, graph))
                await run.saver.settled()
            except (Exception, asyncio.CancelledError) as error:
                cause = _cause(run.attempt, error)
                run.attempt.settling = True
                return await settle(run, graph, cause)
        return succeeded(result)
    except LeaseLost:
        raise
    except DatabaseUnavailable as error:
        logger.warning(
            "a run is handed back: its state could not be read or written",
            run_id=run.attempt.lease.run_id,
            error=str(error),
        )
        return None
    except Exception as error:  # closing the factory's resources or the saver failed; the run still ends
        return failed(run, error, GraphResult())


def _cause(attempt: Attempt, error: BaseException) -> BaseException:
    """The cause of a failure; a cancellation requested by the worker becomes Stopped.

    Raises errors that are not failures of the run: LeaseLost, DatabaseUnavailable and a cancellation from outside.
    """
    if isinstance(error, LeaseLost | DatabaseUnavailable):
        raise error
    task = asyncio.current_task()
    if not isinstance(error, asyncio.CancelledError) or task is None:
        return error
    if attempt.stopping:
        while task.uncancel():
            pass
        return Stopped()
    if task.cancelling():
        raise error
    return error  # raised by the graph's own code: a failure like any other


def configure(attempt: Attempt) -> RunnableConfig:
    """The run's config with the values of this attempt. The run id in it is the same for every attempt."""
    config: JSON = attempt.claim.kwargs["config"]
    lease = attempt.lease
    own = {"run_attempt": lease.attempt, "run_id": lease.run_id, "thread_id": lease.thread_id, **_VERSIONS}
    stored = (config.get("configurable") or {}).get(USER)
    return cast("RunnableConfig", with_user({**config, "metadata": {**config.get("metadata", {}), **own}}, stored))


async def load(run: Execution, opened: AsyncExitStack) -> AnyGraph:
    """Open the graph, built by its factory if it has one."""
    claim = run.attempt.claim
    loaded = run.resources.graphs.get(claim.graph_id)
    if loaded is None:
        raise GraphMissing(
            f"graph {claim.graph_id!r} is not in langgraph.json; it has {', '.join(run.resources.graphs)}"
        )
    context = claim.kwargs.get("context")
    store = run.resources.checkpoints.store
    user = run.config.get("configurable", {}).get(USER)
    return await opened.enter_async_context(
        loaded.open(access="threads.create_run", config=run.config, store=store, context=context, user=user)
    )


async def prepare(run: Execution, graph: AnyGraph) -> Invocation:
    """The invocation of the graph. A later attempt resumes from the last checkpoint of the run, if any."""
    claim = run.attempt.claim
    kwargs = claim.kwargs
    resume = claim.resumed and await run.resources.queue.reset(claim.lease)
    command = kwargs.get("command")
    if claim.after_interrupt and not resume and command is None and kwargs.get("input") is not None:
        await answer_cut_calls(graph, run.config, run.saver, run.resources.checkpoints.store)
    return Invocation(
        config=run.config,
        input=kwargs.get("input"),
        command=None if command is None else msgspec.convert(command, Command),
        context=kwargs.get("context"),
        modes=kwargs["stream_mode"],
        subgraphs=kwargs["subgraphs"],
        durability=kwargs["durability"],
        interrupt_before=kwargs.get("interrupt_before"),
        interrupt_after=kwargs.get("interrupt_after"),
        resume=resume,
        strict_resume=bool(kwargs.get("strict_resume")),
    )


async def perform(run: Execution, graph: AnyGraph, invocation: Invocation) -> GraphResult:
    """Run the graph, appending its events to the log."""
    result = GraphResult()
    store = run.resources.checkpoints.store
    limit = run.resources.settings.run_timeout_seconds or None
    timeout = asyncio.timeout(limit)
    try:
        async with timeout, aclosing(stream(graph, invocation, saver=run.saver, store=store, result=result)) as chunks:
            begun = False
            async for parts in chunks:
                run.appender.add(parts)
                if not begun:
                    # Flush the first event before resuming the graph, which would otherwise compete for the GIL with
                    # its write.
                    begun = True
                    await run.appender.flushed()
                if run.appender.full:
                    await run.appender.wait_for_capacity()
    except TimeoutError as error:
        if timeout.expired():
            raise TimedOut(f"the run took longer than {limit:g} seconds") from error
        raise
    if run.attempt.stopping:
        raise Stopped  # the graph suppressed the cancellation and ran to its end
    return result


async def settle(run: Execution, graph: AnyGraph | None, cause: BaseException) -> Outcome | None:
    """The outcome of an attempt that did not succeed, with the state it reached."""
    await run.saver.settled()
    result = GraphResult()
    if graph is not None and not run.attempt.handing_back and run.attempt.cancelled != "rollback":
        try:
            result = await settle_state(graph, run.config, run.saver, run.resources.checkpoints.store)
        except Exception as error:  # the run ends even if its state cannot be read
            logger.warning("the state of a run could not be read", run_id=run.attempt.lease.run_id, error=repr(error))
    return failed(run, cause, result)


def succeeded(result: GraphResult) -> Outcome:
    return Outcome(
        status="success",
        thread_status="interrupted" if result.interrupted else "idle",
        output=result.values,
        interrupts=result.interrupts,
        wait_interrupts=result.wait_interrupts or None,
    )


def failed(run: Execution, cause: BaseException, result: GraphResult) -> Outcome | None:
    """The outcome of a failed attempt, or None to hand the run back. A cancel mark takes precedence over the
    failure."""
    attempt = run.attempt
    if isinstance(cause, Stopped):
        if attempt.handing_back and attempt.cancelled is None:
            return None
        return Outcome(status="interrupted", thread_status="interrupted", output=result.values)
    trace = None if isinstance(cause, TreadleError) else cause
    logger.warning("run failed", run_id=attempt.lease.run_id, graph_id=attempt.claim.graph_id, exc_info=trace)
    error = describe_error(cause)
    run.appender.add([("error", "", orjson.dumps(error))])
    status: Literal["timeout", "error"] = "timeout" if isinstance(cause, TimedOut) else "error"
    return Outcome(
        status=status, thread_status="error", error=error, output=result.values, interrupts=result.interrupts
    )


async def record(run: Execution, outcome: Outcome | None) -> int:
    """Write the outcome and return the attempt's number of events.

    Retries until the database accepts it, since an executed run must not stay running.
    """
    events = await run.appender.close()
    pause = _PAUSE_SECONDS
    while True:
        try:
            if outcome is not None:
                await run.resources.queue.finish(run.attempt.lease, outcome, events)
            else:
                await run.resources.queue.release(run.attempt.lease, events)
        except LeaseLost:
            raise
        except Exception as error:  # disk full or database locked: the lease is still valid, so retry
            logger.error(
                "the outcome of a run could not be recorded", run_id=run.attempt.lease.run_id, error=repr(error)
            )
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        else:
            return run.appender.appended + len(events)
