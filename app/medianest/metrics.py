"""Figures for Prometheus at `/metrics`, which the gateway shows to nobody outside.

Parts count for themselves in plain numbers; one small function a part turns them into metrics, when
they are asked for. Names, units and labels: docs/contract.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector, exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from medianest.cache import CacheFigures
from medianest.database import DatabaseFigures
from medianest.events import EventFigures
from medianest.login_limits import LimitFigures
from medianest.request_figures import Durations, RequestFigures
from medianest.routes import direct
from medianest.workers.errors import Ending
from medianest.workers.figures import PoolFigures

PATH = "/metrics"
Source = Callable[[], Iterable[Metric]]


class Metrics:
    """The metrics of one application."""

    def __init__(self, release: str, stack: str) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._about = {"release": release, "stack": stack}
        ProcessCollector(registry=self._registry)
        self.add(self._build)

    def add(self, source: Source) -> None:
        """Ask `source` too, each time. One that fails is logged and left out."""
        self._registry.register(_Sourced(source))

    def routes(self) -> APIRouter:
        """`/metrics`, in the format that the scraper prefers. Not in the public description."""
        router = APIRouter(include_in_schema=False)

        @direct(router, "GET", PATH)
        async def scrape(request: Request) -> Response:
            encode, media_type = exposition.choose_encoder(request.headers.get("accept", ""))
            return Response(encode(self._registry), headers={"Content-Type": media_type})

        return router

    def _build(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "medianest_build_info", "What this process was made from.", labels=list(self._about)
        )
        family.add_metric(list(self._about.values()), 1)
        yield family


class _Sourced(Collector):
    def __init__(self, source: Source) -> None:
        self._source = source
        self._log = structlog.get_logger(component="metrics")

    def collect(self) -> Iterable[Metric]:
        try:
            return list(self._source())
        except Exception:
            self._log.exception("Figures cannot be had")
            return []


def requests(figures: RequestFigures) -> Iterator[Metric]:
    """HTTP requests by route template."""
    total = CounterMetricFamily(
        "medianest_http_requests_total", "Answered requests.", labels=["route", "method", "status"]
    )
    merged: dict[tuple[str, str], Durations] = {}
    for (route, method, status), durations in figures.finished.items():
        total.add_metric([route, method, str(status)], durations.count)
        merged.setdefault((route, method), Durations()).merge(durations)
    yield total
    histogram = HistogramMetricFamily(
        "medianest_http_request_duration_seconds",
        "From a request's header to the end of its answer.",
        labels=["route", "method"],
    )
    for labels, durations in merged.items():
        histogram.add_metric(list(labels), durations.cumulative(), durations.seconds)
    yield histogram
    yield GaugeMetricFamily(
        "medianest_http_requests_in_flight", "Requests that are being answered.", figures.in_flight
    )


def event_loop(lags: Durations) -> Iterator[Metric]:
    """How late the event loop is."""
    yield HistogramMetricFamily(
        "medianest_event_loop_lag_seconds",
        "How late a call was that the event loop was asked for.",
        lags.cumulative(),
        lags.seconds,
    )


def cache(figures: CacheFigures) -> Iterator[Metric]:
    """Reads through the cache, and how Redis was while they were made."""
    outcomes = {"hit": figures.hits, "miss": figures.misses, "bypass": figures.bypassed}
    yield _counter("medianest_cache_requests_total", "Reads through the cache.", "outcome", outcomes)
    yield CounterMetricFamily(
        "medianest_cache_errors_total", "What Redis did not answer as it should.", figures.errors
    )
    yield CounterMetricFamily(
        "medianest_cache_loads_total", "Values fetched from behind the cache.", figures.loads
    )
    yield CounterMetricFamily(
        "medianest_cache_outages_total", "Failures that lasted longer than one request.", figures.outages
    )
    yield GaugeMetricFamily("medianest_cache_connections", "Connections to Redis.", figures.connections)
    yield GaugeMetricFamily("medianest_cache_up", "1 while Redis answers.", int(figures.answers))


def database(figures: DatabaseFigures) -> Iterator[Metric]:
    """The pool of connections to Postgres."""
    states = {"active": figures.active, "idle": figures.idle}
    yield _gauge("medianest_database_connections", "Connections to Postgres.", "state", states)
    yield GaugeMetricFamily(
        "medianest_database_waiting_requests", "Requests that wait for a connection.", figures.waiting
    )
    changes = {"created": figures.created, "destroyed": figures.destroyed}
    yield _counter("medianest_database_connection_changes_total", "Opened and closed.", "change", changes)
    failures = {"error": figures.errors, "exhausted": figures.exhausted}
    yield _counter("medianest_database_failures_total", "Work that failed.", "reason", failures)


def workers(figures: PoolFigures) -> Iterator[Metric]:
    """Worker processes and their tasks."""
    states = {"wanted": figures.size, "healthy": figures.healthy, "busy": figures.busy}
    yield _gauge("medianest_workers", "Worker processes.", "state", states)
    yield GaugeMetricFamily("medianest_worker_tasks_queued", "Tasks that wait for a worker.", figures.queued)
    yield GaugeMetricFamily(
        "medianest_worker_queue_age_seconds", "Of the task that waits longest.", figures.oldest_queued_seconds
    )
    outcomes = {
        "completed": figures.tasks_completed,
        "failed": figures.tasks_failed,
        "cancelled": figures.tasks_cancelled,
        "refused": figures.tasks_refused,
    }
    yield _counter("medianest_worker_tasks_total", "Tasks that have ended.", "outcome", outcomes)
    yield CounterMetricFamily("medianest_workers_created_total", "Started workers.", figures.workers_created)
    # All of them, so that each series begins at 0.
    endings = {str(ending): figures.workers_terminated.get(ending, 0) for ending in Ending}
    yield _counter("medianest_workers_terminated_total", "Ended workers, by why.", "reason", endings)
    # The sum and not each: a process id as a label would be a new series with every replacement.
    yield GaugeMetricFamily(
        "medianest_workers_resident_bytes",
        "Memory of all worker processes.",
        sum(worker.resident_bytes for worker in figures.workers),
    )


def events(figures: EventFigures) -> Iterator[Metric]:
    """The event manager."""
    yield _gauge("medianest_event_listeners", "Handlers that listen.", "source", figures.listeners)
    outcomes = {"delivered": figures.delivered, "failed": figures.failed}
    yield _counter("medianest_event_deliveries_total", "Calls of handlers.", "outcome", outcomes)


def logins(figures: LimitFigures) -> Iterator[Metric]:
    """The limits on logins."""
    yield CounterMetricFamily("medianest_logins_refused_total", "Too many attempts.", figures.refused)
    yield CounterMetricFamily(
        "medianest_logins_without_redis_total", "Attempts that Redis could not count.", figures.without_redis
    )


def _by_label(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
    name: str,
    text: str,
    label: str,
    values: Mapping[str, float],
) -> Metric:
    family = kind(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


_counter = partial(_by_label, CounterMetricFamily)
_gauge = partial(_by_label, GaugeMetricFamily)
