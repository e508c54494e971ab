"""One attempt, from claim to record: load -> prepare -> perform -> settle -> record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Protocol

import msgspec
import orjson
import structlog
from langchain_core.runnables import RunnableConfig
from msgspec import Struct

from treadle.errors import LeaseLost
from treadle.graph.internals import AnyGraph
from treadle.graph.load import Graphs
from treadle.graph.stream import Ask, Ending, settle_state, stream
from treadle.graph.encode import describe_error
from treadle.model import JSON, Command, Event
from treadle.ports import Checkpoints, Clock, EventLog, Outcome, Queue, RunSaver
from treadle.settings import Settings
from treadle.worker.attempt import Appender, Attempt

logger = structlog.get_logger("treadle.worker")

VERSIONS = {"langgraph_version": version("langgraph"), "treadle_version": version("treadle")}


class Tools(Struct, frozen=True):
    """What executing takes."""

    queue: Queue
    log: EventLog
    checkpoints: Checkpoints
    graphs: Graphs
    clock: Clock
    settings: Settings


class Stopped(Exception):
    """The attempt was told to stop: cancelled, or to be handed back."""


class TimedOut(Exception):
    """The attempt took longer than the server allows."""


class _Failure(Protocol):
    def __call__(self, error: BaseException) -> None: ...


async def execute(attempt: Attempt, tools: Tools) -> None:
    """Takes a claimed run to its end, or hands it back. Raises nothing but CancelledError when it was abandoned."""
    saver = tools.checkpoints.for_run(attempt.lease, eager=attempt.claim.kwargs.get("durability") != "sync")
    appender = Appender(tools.log, attempt.lease, tools.clock)
    try:
        outcome = await _attempt(attempt, tools, saver, appender)
        attempt.settling = True
        await record(attempt, tools, outcome, appender)
    except LeaseLost as lost:
        logger.info("attempt lost its run", run_id=attempt.lease.run_id, reason=str(lost))


async def _attempt(attempt: Attempt, tools: Tools, saver: RunSaver, appender: Appender) -> Outcome | None:
    """Everything that runs the user's code. None when the run is to be handed back."""
    config = configure(attempt)
    try:
        async with load(attempt, tools, config) as graph:
            try:
                ask = await prepare(attempt, tools, config)
                ending = await perform(attempt, tools, graph, ask, saver, appender)
                await saver.settled()
            except LeaseLost:
                raise
            except (Exception, asyncio.CancelledError) as error:
                attempt.settling = True
                return await settle(attempt, tools, graph, config, saver, appender, _cause(attempt, error))
            return succeeded(ending)
    except LeaseLost:
        raise
    except (Exception, asyncio.CancelledError) as error:  # the graph's own factory failed, or was cancelled
        return _failed(attempt, tools, appender, _cause(attempt, error), Ending())


def _cause(attempt: Attempt, error: BaseException) -> BaseException:
    """A cancellation that the worker asked for is Stopped; one that it did not ask for ends the task."""
    if not isinstance(error, asyncio.CancelledError):
        return error
    if attempt.stopping:
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return Stopped()
    if (task := asyncio.current_task()) is not None and task.cancelling():
        raise error
    return error  # the graph's own code raised it: a failure like any other


@asynccontextmanager
async def load(attempt: Attempt, tools: Tools, config: RunnableConfig) -> AsyncIterator[AnyGraph]:
    """The graph, made by its factory where it has one."""
    loaded = tools.graphs.get(attempt.claim.graph_id)
    context = attempt.claim.kwargs.get("context")
    async with loaded.open(
        access="threads.create_run", config=config, store=tools.checkpoints.store, context=context
    ) as graph:
        yield graph


def configure(attempt: Attempt) -> RunnableConfig:
    """The run's config with what only this attempt knows. The run id in it is the same on every attempt."""
    config: JSON = attempt.claim.kwargs["config"]
    metadata = {
        **config.get("metadata", {}),
        "run_attempt": attempt.lease.attempt,
        **VERSIONS,
        "run_id": attempt.lease.run_id,
        "thread_id": attempt.lease.thread_id,
    }
    return RunnableConfig(**{**config, "metadata": metadata})


async def prepare(attempt: Attempt, tools: Tools, config: RunnableConfig) -> Ask:
    """What to ask of the graph. A later attempt goes on from the run's last checkpoint, if it has one."""
    kwargs = attempt.claim.kwargs
    resume = attempt.claim.resumed and await tools.queue.reset(attempt.lease)
    command = kwargs.get("command")
    return Ask(
        config=config,
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


async def perform(
    attempt: Attempt, tools: Tools, graph: AnyGraph, ask: Ask, saver: RunSaver, appender: Appender
) -> Ending:
    """Runs the graph; its events go to the log as they come."""
    ending = Ending()
    limit = tools.settings.run_timeout_seconds or None
    try:
        async with asyncio.timeout(limit) as timeout:
            async for parts in stream(graph, ask, saver=saver, store=tools.checkpoints.store, ending=ending):
                appender.add(parts)
                await appender.room()
    except TimeoutError as error:
        if timeout.expired():
            raise TimedOut(f"the run took longer than {limit:g} seconds") from error
        raise
    if attempt.stopping:
        raise Stopped  # the graph swallowed the cancellation and went on to its end
    return ending


async def settle(
    attempt: Attempt,
    tools: Tools,
    graph: AnyGraph,
    config: RunnableConfig,
    saver: RunSaver,
    appender: Appender,
    cause: BaseException,
) -> Outcome | None:
    """How an attempt ends that did not succeed, with the state it has come to."""
    await saver.settled()
    ending = Ending()
    if not attempt.handing_back and attempt.cancelled != "rollback":
        try:
            ending = await settle_state(graph, config, saver, tools.checkpoints.store)
        except LeaseLost:
            raise
        except Exception as error:  # the state is an extra here: the run ends all the same
            logger.warning("the state of a failed run could not be read", run_id=attempt.lease.run_id, error=repr(error))
    return _failed(attempt, tools, appender, cause, ending)


def succeeded(ending: Ending) -> Outcome:
    return Outcome(
        status="success",
        thread_status="interrupted" if ending.interrupted else "idle",
        output=ending.values,
        interrupts=ending.interrupts,
        wait_interrupts=ending.wait_interrupts or None,
    )


def _failed(
    attempt: Attempt, tools: Tools, appender: Appender, cause: BaseException, ending: Ending
) -> Outcome | None:
    if isinstance(cause, Stopped):
        if attempt.handing_back and attempt.cancelled is None:
            return None
        return Outcome(status="interrupted", thread_status="interrupted", output=ending.values)
    if isinstance(cause, Exception) and not isinstance(cause, TimedOut):
        logger.warning("run failed", run_id=attempt.lease.run_id, graph_id=attempt.claim.graph_id, exc_info=cause)
    error = describe_error(cause)
    appender.add([("error", "", orjson.dumps(error))])
    status: Any = "timeout" if isinstance(cause, TimedOut) else "error"
    return Outcome(
        status=status, thread_status="error", error=error, output=ending.values, interrupts=ending.interrupts
    )


async def record(attempt: Attempt, tools: Tools, outcome: Outcome | None, appender: Appender) -> None:
    """Writes the end, again and again if the database cannot take it: an executed run must not stay running."""
    events = await appender.close()
    pause = 0.1
    while True:
        try:
            if outcome is None:
                await _release(attempt, tools, events)
            else:
                await tools.queue.finish(attempt.lease, outcome, events)
        except LeaseLost:
            raise
        except Exception as error:  # disk full, database locked: the lease is still ours, so try again
            logger.error("the end of a run could not be written", run_id=attempt.lease.run_id, error=repr(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
        else:
            return


async def _release(attempt: Attempt, tools: Tools, events: Any) -> None:
    if events:
        await tools.log.append(attempt.lease, list[Event](events))
    await tools.queue.release(attempt.lease)
