"""What the reports say: made of what was seen, without asking anybody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from guardian.container_figures import Figures
from guardian.policy.services import SERVICES
from guardian.policy.view import View

# Reasons for which a worker ends that are no failure.
_PLANNED = frozenset({"cancelled", "used_up", "restarted", "stopped"})
_WORKER_METRICS = frozenset(
    {
        "medianest_workers",
        "medianest_workers_created_total",
        "medianest_workers_terminated_total",
        "medianest_worker_tasks_total",
        "medianest_worker_tasks_queued",
        "medianest_worker_queue_age_seconds",
        "medianest_workers_resident_bytes",
    }
)


def memory(view: View, figures: Mapping[str, Figures]) -> dict[str, Any]:
    """What each container holds, against its limit, and all together."""
    containers = []
    for item in view.containers:
        used = figures.get(item.id)
        if used is not None:
            share = round(100 * used.memory_bytes / item.memory_limit, 1) if item.memory_limit else None
            containers.append(
                {
                    "container": item.name,
                    "component": item.component,
                    "bytes": used.memory_bytes,
                    "limit_bytes": item.memory_limit,
                    "percent": share,
                    "restarts": item.restarts,
                }
            )
    return {"total_bytes": sum(row["bytes"] for row in containers), "containers": containers}


def health(view: View, documents: Mapping[str, Mapping[str, Any] | str]) -> dict[str, Any]:
    """Whether everything serves. `documents` has each replica's health document, or why there is none."""
    problems = []
    if view.stopped:
        return {"healthy": True, "note": "the stack is stopped", "problems": [], "containers": []}
    for component in SERVICES:
        problems += [
            f"{item.name} is {item.state}, {item.health}"
            for item in view.of(component)
            if not item.serves and not (view.deploying and item.component == "backend")
        ]
    for name, document in documents.items():
        if isinstance(document, str):
            problems.append(f"{name}: {document}")
            continue
        services = document.get("services")
        for service, word in services.items() if isinstance(services, Mapping) else ():
            if word not in ("healthy", "validated"):
                problems.append(f"{name}: {service} is {word}")
    return {
        "healthy": not problems,
        "problems": problems,
        "deploying": bool(view.deploying),
        "containers": [
            {"container": item.name, "component": item.component, "state": item.state, "health": item.health}
            for item in view.containers
            if item.component in SERVICES
        ],
        "backends": dict(documents),
    }


def workers(metrics: Mapping[str, str]) -> dict[str, Any]:
    """What each replica's workers have done since its start; its figures as text, by container's name."""
    replicas = {name: _worker_figures(text) for name, text in metrics.items()}
    failed = sum(
        value
        for figures in replicas.values()
        for reason, value in figures.get("medianest_workers_terminated_total", {}).items()
        if reason not in _PLANNED
    )
    return {"failed": failed, "replicas": replicas}


def _worker_figures(text: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in _WORKER_METRICS:
                found[sample.name][next(iter(sample.labels.values()), "")] = sample.value
    return dict(found)


def summary(kind: str, content: Mapping[str, Any]) -> str:
    """A report in one line, for the journal."""
    if kind == "memory":
        return f"{content['total_bytes'] / 1e6:.0f} MB in {len(content['containers'])} containers"
    if kind == "workers":
        return f"{content['failed']:.0f} workers failed in {len(content['replicas'])} replicas"
    problems: Sequence[str] = content["problems"]
    return "; ".join(problems) or str(content.get("note", "healthy"))
