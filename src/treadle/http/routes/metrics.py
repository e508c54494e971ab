"""The metrics of the server, as text for Prometheus or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.datastructures import QueryParams
from starlette.responses import Response

from treadle.http import parse
from treadle.http.gate import PUBLIC
from treadle.http.responses import json_response
from treadle.http.routing import Call, Parameter, Routes
from treadle.model import JSON
from treadle.ports.statistics import ServerMetrics, Statistics

Format = Literal["prometheus", "json"]
FORMATS: tuple[Format, ...] = ("prometheus", "json")


route = Routes("System")


class Served(NamedTuple):
    """The figures of this process. ``slots`` is how many runs it executes at once, ``refused`` how many got 429."""

    slots: int = 0
    streams: int = 0
    requests: Mapping[tuple[str, str, int], int] = MappingProxyType({})
    refused: int = 0


@route(
    "GET",
    "/metrics",
    "Get metrics, as text for Prometheus or as JSON",
    access=PUBLIC,
    returns=JSON,
    media_types=("text/plain",),
    parameters=(Parameter(name="format", type=Format, description="default prometheus"),),
    errors=(422,),
)
async def metrics(call: Call[None]) -> Response:
    services = call.services
    slots, streams = services.settings.slots, len(services.streams.open)
    served = Served(slots, streams, services.requests, services.runs.admission.refused)
    return await respond(call.request.query_params, services.statistics, served)


async def respond(query: QueryParams, statistics: Statistics, served: Served) -> Response:
    format = parse.Query(query).choice("format", FORMATS)
    figures = await statistics.metrics()
    if format == "json":
        return json_response(_as_json(figures, served))
    return Response(_as_text(families(figures, served)), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def families(figures: ServerMetrics, served: Served) -> Iterator[Metric]:
    """All metrics of treadle, without those of the Prometheus client."""
    waiting = figures.waiting
    yield _gauge("runs_pending", "Runs waiting to be claimed, including delayed ones", figures.pending)
    yield _gauge("runs_running", "Runs being executed", figures.running)
    yield _gauge("runs_due", "Pending runs that are due", waiting.runs)
    yield _gauge("run_wait_seconds_max", "How long the oldest due run has been waiting", waiting.oldest or 0.0)
    yield _gauge("workers", "Workers that hold a lease", figures.workers)
    yield _queued(figures)
    yield _queue_wait(figures)
    yield _gauge("worker_slots", "Runs that this process executes at once", served.slots)
    yield _gauge("streams_open", "Connected readers: streams, waits and joins", served.streams)
    yield _labelled(GaugeMetricFamily, "rows", "Rows of each table, counted once a minute", "table", figures.rows)
    yield _labelled(GaugeMetricFamily, "file_bytes", "Size of the database's files", "file", figures.file_bytes)
    yield _labelled(CounterMetricFamily, "runs_ended", "Runs that ended", "status", figures.ended)
    yield _counter("claims", "Attempts started", figures.claims)
    yield _counter("events", "Events appended to the log", figures.events)
    yield _counter("commits", "Write transactions, each committing a batch of jobs", figures.commits)
    yield _counter("write_jobs", "Jobs committed in write transactions", figures.jobs)
    yield _counter("runs_refused", "Runs refused with 429 because too many were pending", served.refused)
    yield _counter("runs_expired", "Ended runs deleted by retention", figures.expired)
    yield _requests(served.requests)


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"treadle_{name}", help, value)


def _counter(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(f"treadle_{name}", help, value)


def _queued(figures: ServerMetrics) -> Metric:
    help = "Pending runs by graph, priority (low: below 0, high: above 0) and what the last claim found them blocked by"
    family = GaugeMetricFamily("treadle_runs_queued", help, labels=["graph", "priority", "blocked_by"])
    for depth in figures.depths:
        family.add_metric([depth.graph_id, depth.priority, depth.blocked_by], depth.runs)
    return family


def _queue_wait(figures: ServerMetrics) -> Metric:
    oldest: dict[str, float] = {}
    for depth in figures.depths:
        oldest[depth.graph_id] = max(depth.oldest or 0.0, oldest.get(depth.graph_id, 0.0))
    help = "How long the oldest due run of each graph has been waiting"
    return _labelled(GaugeMetricFamily, "queue_wait_seconds", help, "graph", oldest)


def _labelled(
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
    name: str,
    help: str,
    label: str,
    values: Mapping[Any, float],
) -> Metric:
    family = kind(f"treadle_{name}", help, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([str(key)], value)
    return family


def _requests(requests: Mapping[tuple[str, str, int], int]) -> Metric:
    family = CounterMetricFamily("treadle_http_requests", "Requests answered", labels=["method", "path", "status"])
    for (method, path, status), count in sorted(requests.items()):
        family.add_metric([method, path, str(status)], count)
    return family


class _Collected(Collector):
    """Passes metrics that were gathered already to a registry."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _as_text(metrics: Iterable[Metric]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Collected(metrics))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _as_json(figures: ServerMetrics, served: Served) -> JSON:
    """The metrics under the names of the official server, and additional ones."""
    waiting, slots = figures.waiting, served.slots
    counted = [
        {"method": method, "path": path, "status": status, "count": count}
        for (method, path, status), count in sorted(served.requests.items())
    ]
    return {
        "queue": {
            "n_pending": figures.pending,
            "pending_runs_wait_time_max_secs": waiting.oldest,
            "pending_runs_wait_time_med_secs": waiting.median,
            "pending_unblocked_runs_wait_time_max_secs": waiting.unblocked,
            "n_running": figures.running,
        },
        "api": {"http_requests_total": counted, "open_streams": served.streams},
        "workers": {"max": slots, "active": figures.running, "available": max(0, slots - figures.running)},
        "runs": {
            "ended": figures.ended,
            "claims": figures.claims,
            "refused": served.refused,
            "expired": figures.expired,
            "queued": figures.depths,
        },
        "storage": {
            "rows": figures.rows,
            "bytes": figures.file_bytes,
            "events": figures.events,
            "commits": figures.commits,
            "write_jobs": figures.jobs,
        },
    }
