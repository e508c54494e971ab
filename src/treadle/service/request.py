"""Build a run from a request, its assistant and its thread, or from an earlier run. Pure."""

from __future__ import annotations

import uuid

from msgspec import Struct, structs, to_builtins

from treadle.auth.scope import Requester
from treadle.errors import BadRequestError, UnprocessableError
from treadle.model import JSON, Assistant, Run, RunConfig, RunCreate, Thread
from treadle.ports.records import NewRun
from treadle.run_search import FoundRun

_FORK = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")


class Submission(Struct, frozen=True):
    """The parts of an HTTP request that a run stores, apart from the body.

    ``key`` is the Idempotency-Key; a cron passes its id. ``headers`` are copied into the configurable. ``priority`` and
    ``concurrency_key`` are for the queue.
    """

    request_id: str
    key: str | None = None
    route: str = ""
    cron_id: str | None = None
    requester: Requester | None = None
    headers: JSON = {}
    priority: int = 0
    concurrency_key: str | None = None


def check(request: RunCreate) -> None:
    """Check rules that types cannot express. Raises UnprocessableError, which names the field, or BadRequestError."""
    ids = {"checkpoint_id": request.checkpoint_id}
    if request.checkpoint is not None:
        ids["checkpoint.checkpoint_id"] = request.checkpoint.checkpoint_id
    for field, value in ids.items():
        if value is not None and not _is_uuid(value):
            raise UnprocessableError("Invalid checkpoint ID", field=field)
    config = request.config or RunConfig()
    if config.recursion_limit is not None and config.recursion_limit < 1:
        raise UnprocessableError("config.recursion_limit: must be at least 1", field="config.recursion_limit")
    if request.context and config.configurable:
        raise BadRequestError(
            "Cannot specify both configurable and context. Prefer setting context alone."
            " Context was introduced in LangGraph 0.6.0 and is the long term planned replacement for configurable."
        )
    if request.after_seconds is not None and not -1e9 < request.after_seconds < 1e9:
        raise UnprocessableError("after_seconds: must be a number of seconds below 1e9", field="after_seconds")


def assemble(
    request: RunCreate,
    assistant: Assistant,
    thread: Thread,
    run_id: str,
    now: int,
    submission: Submission,
    *,
    temporary: bool,
    stateless: bool,
) -> NewRun:
    """Merge assistant, thread and request into a run (docs/http.md)."""
    own = {"assistant_id": assistant.assistant_id}
    if not stateless:
        own["graph_id"] = assistant.graph_id
    metadata = assistant.metadata | ({} if stateless else thread.metadata) | own | (request.metadata or {})
    config = request.config or RunConfig()
    context = assistant.context | (config.configurable or {}) | (request.context or {})
    by = {} if submission.cron_id is None else {"cron_id": submission.cron_id}
    metadata |= by
    merged = _config(assistant.config, config, metadata)
    merged["configurable"] |= {
        **context,
        **submission.headers,
        **_checkpoint(request),
        **by,
        **_asked_by(submission, now),
        "__after_seconds__": request.after_seconds or 0,
        "run_id": run_id,
        "thread_id": thread.thread_id,
        "graph_id": assistant.graph_id,
        "assistant_id": assistant.assistant_id,
    }
    return NewRun(
        run_id=run_id,
        thread_id=thread.thread_id,
        assistant_id=assistant.assistant_id,
        graph_id=assistant.graph_id,
        metadata=metadata,
        kwargs=_kwargs(request, merged, context, temporary),
        multitask_strategy=request.multitask_strategy or "enqueue",
        available_at=now + max(0, int((request.after_seconds or 0) * 1_000_000)),
        temporary=temporary,
        priority=submission.priority,
        concurrency_key=submission.concurrency_key,
    )


def again(old: Run, found: FoundRun, run_id: str, now: int, submission: Submission, *, goes_on: bool) -> NewRun:
    """Build a retry of ``old``. With ``goes_on``, it continues from the thread's current state, without input."""
    mark: JSON = {"retry_of": old.run_id}
    config: JSON = old.kwargs["config"]
    configurable: JSON = {**config["configurable"], **_asked_by(submission, now), "__after_seconds__": 0}
    configurable["run_id"] = run_id
    kwargs: JSON = {**old.kwargs, "config": {**config, "metadata": {**config.get("metadata", {}), **mark}}}
    if old.langsmith_session_name is not None:
        kwargs["langsmith_tracer"] = {"project_name": old.langsmith_session_name}
    if goes_on:
        kwargs |= {"input": None, "command": None}
        configurable = {name: value for name, value in configurable.items() if name not in _FORK}
    kwargs["config"]["configurable"] = configurable
    return NewRun(
        run_id=run_id,
        thread_id=old.thread_id,
        assistant_id=old.assistant_id,
        graph_id=found.graph_id,
        metadata=old.metadata | mark,
        kwargs=kwargs,
        multitask_strategy=old.multitask_strategy,
        available_at=now,
        temporary=False,
        priority=found.priority,
        concurrency_key=found.concurrency_key,
    )


def _asked_by(submission: Submission, now: int) -> JSON:
    """The user and the time of the request, for the configurable."""
    user = submission.requester.user if submission.requester else None
    identity = user["identity"] if user else ""
    return {
        "langgraph_auth_user": user,
        "langgraph_auth_user_id": identity,
        "langgraph_auth_permissions": (user or {}).get("permissions") or [],
        "langgraph_request_id": submission.request_id,
        "__request_start_time_ms__": now // 1000,
        "user_id": identity,
    }


def thread_config(config: JSON) -> JSON:
    """The part of a run's config that its thread shows."""
    return {**{key: config[key] for key in ("tags", "recursion_limit") if config.get(key)}, "configurable": {}}


def _kwargs(request: RunCreate, config: JSON, context: JSON, temporary: bool) -> JSON:
    durability = request.durability
    if durability is None:
        durability = "exit" if request.checkpoint_during is False else "async"
    kwargs: JSON = {
        "input": request.input,
        "command": None if request.command is None else to_builtins(request.command),
        "config": config,
        "context": context,
        "stream_mode": _modes(request),
        "interrupt_before": request.interrupt_before,
        "interrupt_after": request.interrupt_after,
        "webhook": request.webhook,
        "feedback_keys": request.feedback_keys,
        "temporary": temporary,
        "subgraphs": bool(request.stream_subgraphs),
        "resumable": bool(request.stream_resumable),
        "checkpoint_during": durability != "exit",
        "durability": durability,
    }
    if request.strict_resume:
        kwargs["strict_resume"] = True
    if request.langsmith_tracer:
        kwargs["langsmith_tracer"] = to_builtins(request.langsmith_tracer)
    return kwargs


def _modes(request: RunCreate) -> list[str]:
    asked = request.stream_mode
    modes = [asked] if isinstance(asked, str) else list(asked or ())
    return list(dict.fromkeys(modes)) or ["values"]


def _config(assistant: JSON, config: RunConfig, metadata: JSON) -> JSON:
    """The request's tags and recursion limit replace the assistant's; configurable is merged key by key."""
    merged: JSON = {}
    if tags := config.tags if config.tags is not None else assistant.get("tags"):
        merged["tags"] = tags
    merged["configurable"] = {**(assistant.get("configurable") or {}), **(config.configurable or {})}
    if limit := config.recursion_limit or assistant.get("recursion_limit"):
        merged["recursion_limit"] = limit
    merged["metadata"] = {**(assistant.get("metadata") or {}), **metadata, **(config.metadata or {})}
    return merged


def _checkpoint(request: RunCreate) -> JSON:
    """The checkpoint to fork from, as keys of the configurable."""
    ref = {} if request.checkpoint is None else structs.asdict(request.checkpoint)
    if request.checkpoint_id is not None:
        ref["checkpoint_id"] = request.checkpoint_id
    return {key: value for key, value in ref.items() if value is not None and key != "thread_id"}


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
