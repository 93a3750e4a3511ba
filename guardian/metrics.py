"""The guardian's figures for Prometheus: of the containers, and of itself. Names: docs/contract.md."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from guardian.container_figures import ContainerFigures
from guardian.engine.containers import Container, Health
from guardian.record.notebook import Notebook
from guardian.stack_watch import StackWatch

_LABELS = ("component", "container")
# One without a health check is well while it runs.
_WELL = (Health.HEALTHY, Health.NONE)


class GuardianMetrics(Collector):
    """Made when it is asked for, out of what was seen last."""

    def __init__(self, watch: StackWatch, figures: ContainerFigures, notebook: Notebook) -> None:
        self._watch = watch
        self._figures = figures
        self._notebook = notebook
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def text(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        view = self._watch.fresh
        containers = list(view.containers) if view else []
        yield from self._state(containers)
        yield from self._use(containers)
        yield from self._own()

    def _state(self, containers: list[Container]) -> Iterator[Metric]:
        running = _gauge("medianest_container_running", "1 while it runs.")
        healthy = _gauge("medianest_container_healthy", "1 while it runs and its health check passes.")
        paused = _gauge("medianest_container_paused", "1 while it is paused.")
        restarts = _counter("medianest_container_restarts", "Restarts by the engine after it had ended.")
        killed = _gauge("medianest_container_oom_killed", "1 when it last ended for want of memory.")
        started = _gauge("medianest_container_start_time_seconds", "When it was started, since 1970.")
        limit = _gauge("medianest_container_memory_limit_bytes", "Memory that it may use.")
        processes = _gauge("medianest_container_processes_limit", "Processes and threads that it may have.")
        for item in containers:
            labels = (item.component, item.name)
            running.add_metric(labels, item.state == "running")
            healthy.add_metric(labels, item.state == "running" and item.health in _WELL)
            paused.add_metric(labels, item.state == "paused")
            restarts.add_metric(labels, item.restarts)
            killed.add_metric(labels, item.oom_killed)
            started.add_metric(labels, item.started)
            limit.add_metric(labels, item.memory_limit)
            processes.add_metric(labels, item.processes_limit)
        yield from (running, healthy, paused, restarts, killed, started, limit, processes)

    def _use(self, containers: list[Container]) -> Iterator[Metric]:
        memory = _gauge("medianest_container_memory_bytes", "Memory in use, without the page cache.")
        cpu = _counter("medianest_container_cpu_seconds", "Processor time used.")
        processes = _gauge("medianest_container_processes", "Processes and threads.")
        for item in containers:
            used = self._figures.latest.get(item.id)
            if used is not None:
                labels = (item.component, item.name)
                memory.add_metric(labels, used.memory_bytes)
                cpu.add_metric(labels, used.cpu_seconds)
                processes.add_metric(labels, used.processes)
        yield from (memory, cpu, processes)

    def _own(self) -> Iterator[Metric]:
        memory, view, fresh = self._notebook.memory, self._watch.view, self._watch.fresh
        actions = CounterMetricFamily(
            "medianest_guardian_actions",
            "What was done to containers, as far as is remembered.",
            labels=["component"],
        )
        for component, number in memory.actions.items():
            actions.add_metric([component], number)
        yield actions
        yield GaugeMetricFamily(
            "medianest_guardian_given_up",
            "Services and containers that are not healed any more.",
            len(memory.given_up),
        )
        yield GaugeMetricFamily(
            "medianest_guardian_deploying",
            "1 while it keeps its hands off for a deploy.",
            bool(fresh and fresh.deploying),
        )
        yield GaugeMetricFamily(
            "medianest_guardian_last_look_seconds",
            "When it last saw the stack, since 1970; 0 before the first time.",
            view.now if view else 0,
        )
        yield GaugeMetricFamily(
            "medianest_guardian_watchdog_seconds",
            "When the Watchdog alert last came, since 1970; 0 before the first since its start.",
            memory.watchdog_at,
        )


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=_LABELS)


def _counter(name: str, text: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=_LABELS)
