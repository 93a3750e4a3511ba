"""What is kept of a case before anything is done about it: a directory of files, bounded in time and size."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Awaitable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from guardian.backends import BackendError, Backends
from guardian.engine.client import EngineClient, EngineError
from guardian.engine.containers import Container
from guardian.policy.problems import Problem
from guardian.prometheus import Prometheus, PrometheusError
from guardian.settings import Settings

# Healing waits for it: what cannot be had in this time is noted as missing.
SECONDS = 3.0
LOG_LINES = 500
LARGEST_FILE = 256 * 1024

# What tells of a cause, whichever the problem is. Those that give nothing are empty lists.
QUERIES: Mapping[str, str] = {
    "slowest_routes_p95_seconds": (
        "topk(10, histogram_quantile(0.95, sum by (route, le) "
        "(rate(medianest_http_request_duration_seconds_bucket[5m]))))"
    ),
    "requests_per_second": "sum by (status) (rate(medianest_http_requests_total[5m]))",
    "event_loop_lag_p99_seconds": (
        "histogram_quantile(0.99, sum by (instance, le) (rate(medianest_event_loop_lag_seconds_bucket[5m])))"
    ),
    "database_connections": "medianest_database_connections",
    "database_waiting_requests": "medianest_database_waiting_requests",
    "worker_queue_age_seconds": "medianest_worker_queue_age_seconds",
    "worker_tasks_queued": "medianest_worker_tasks_queued",
    "cache_up": "medianest_cache_up",
    "postgres_connections": "sum by (datname) (pg_stat_database_numbackends)",
    "postgres_locks": "sum by (datname, mode) (pg_locks_count) > 0",
    "postgres_deadlocks_per_second": "sum by (datname) (rate(pg_stat_database_deadlocks[5m]))",
    "container_memory_bytes": "medianest_container_memory_bytes",
    "container_cpu_cores": "rate(medianest_container_cpu_seconds_total[1m])",
}


@dataclass(frozen=True)
class Evidence:
    """Collects evidence into `evidence/`."""

    engine: EngineClient
    backends: Backends
    prometheus: Prometheus
    settings: Settings

    async def keep(self, problem: Problem, container: Container | None) -> str:
        """Returns the case's directory, relative to the guardian's own. Never raises: no evidence is no
        reason not to heal, and what is missing is in the file `missing.json`."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        meant = container.name if container else problem.component
        name = f"evidence/{stamp}-{problem.wrong}-{meant}"
        directory = self.settings.directory / name
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._write(directory, "problem.json", _problem(problem))
            await self._collect(directory, container)
            prune(directory.parent, self.settings.evidence_cases)
        except OSError:
            return ""
        return name

    async def _collect(self, directory: Path, container: Container | None) -> None:
        wanted: dict[str, Awaitable[object]] = {"figures.json": self._figures()}
        if container is not None:
            wanted["container.json"] = self.engine.inspect(container.id)
            wanted["log.txt"] = self.engine.log(container.id, LOG_LINES)
            if container.component == "backend" and container.state == "running":
                wanted["health.json"] = self.backends.report(container)
                wanted["stack.txt"] = self.backends.stacks(container)
        missing: dict[str, str] = {}

        async def one(name: str, source: Awaitable[object]) -> None:
            try:
                self._write(directory, name, await asyncio.wait_for(source, SECONDS))
            except (EngineError, BackendError, PrometheusError, OSError) as error:
                missing[name] = str(error)
            except TimeoutError:
                missing[name] = f"not there within {SECONDS:g} s"

        await asyncio.gather(*(one(name, source) for name, source in wanted.items()))
        if missing:
            self._write(directory, "missing.json", missing)

    async def _figures(self) -> Mapping[str, Any]:
        """All at once; a query that fails takes nothing from the others."""
        answers = await asyncio.gather(
            *(self.prometheus.query(query) for query in QUERIES.values()), return_exceptions=True
        )
        if all(isinstance(answer, BaseException) for answer in answers):
            raise PrometheusError(str(answers[0]))
        return {
            name: str(answer) if isinstance(answer, BaseException) else answer
            for name, answer in zip(QUERIES, answers, strict=True)
        }

    @staticmethod
    def _write(directory: Path, name: str, content: object) -> None:
        text = content if isinstance(content, str) else json.dumps(content, indent=1, default=str)
        # Its end is what tells most of a log.
        (directory / name).write_text(text[-LARGEST_FILE:], encoding="utf-8")


def prune(directory: Path, keep: int) -> None:
    """Remove all but the newest cases."""
    if not directory.is_dir():
        return
    for path in sorted(path for path in directory.iterdir() if path.is_dir())[: -keep or None]:
        shutil.rmtree(path, ignore_errors=True)


def _problem(problem: Problem) -> Mapping[str, Any]:
    return {
        "wrong": problem.wrong,
        "component": problem.component,
        "why": problem.why,
        "container": asdict(problem.container) if problem.container else None,
        "alert": problem.alert.as_json() if problem.alert else None,
    }
